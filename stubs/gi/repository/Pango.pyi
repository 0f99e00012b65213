import enum

class WrapMode(enum.Enum):
    WORD_CHAR = ...
