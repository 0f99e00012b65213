import enum

KEY_KP_Enter: int
KEY_Return: int

class ModifierType(enum.Flag):
    CONTROL_MASK = ...

class EventKey:
    keyval: int
    state: ModifierType
