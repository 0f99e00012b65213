from .GObject import Object

class File(Object):
    @staticmethod
    def new_for_path(path: str) -> File: ...
