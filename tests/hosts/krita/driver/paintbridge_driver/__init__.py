"""A plug-in for the tests alone: runs what a test sends, on Krita's own thread, and says what came of it.

A test sends one line of JSON, ``{"code": ...}``: statements, the last of which may be an expression. It gets one line
back, ``{"value": ...}`` or ``{"error": traceback}``. Names that are assigned stay for the code that follows; Krita and
Qt's modules are there from the start.
"""

import ast
import json
import os
import sys
import traceback

import krita

# As the plug-in does: told by what Krita has loaded already.
if "PyQt6.QtCore" in sys.modules:
    from PyQt6 import QtCore, QtGui, QtNetwork, QtWidgets
else:
    from PyQt5 import QtCore, QtGui, QtNetwork, QtWidgets

_QT = {"QtCore": QtCore, "QtGui": QtGui, "QtWidgets": QtWidgets}


class Driver(QtNetwork.QTcpServer):
    def __init__(self):
        super().__init__()
        self._names = {"Krita": krita.Krita.instance(), "krita": krita, **_QT}
        self.newConnection.connect(self._take)
        self.listen(QtNetwork.QHostAddress(QtNetwork.QHostAddress.SpecialAddress.LocalHost))
        path = os.environ["PAINTBRIDGE_DRIVER"]
        with open(path + ".new", "w") as file:
            file.write(str(self.serverPort()))
        os.rename(path + ".new", path)

    def _take(self):
        # Kept here: a socket that only its own function holds is garbage to Python with that function, and Qt calls it.
        self._socket = self.nextPendingConnection()
        self._socket.readyRead.connect(self._read)

    def _read(self):
        while self._socket.canReadLine():
            answer = self._run(json.loads(bytes(self._socket.readLine()))["code"])
            self._socket.write(json.dumps(answer).encode() + b"\n")

    def _run(self, code):
        try:
            tree = ast.parse(code)
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, "test", "exec"), self._names)
            value = eval(compile(ast.Expression(last.value), "test", "eval"), self._names) if last else None
            json.dumps(value)
            return {"value": value}
        except BaseException:  # noqa: BLE001 - the test is told, whatever it is
            return {"error": traceback.format_exc()}


driver = Driver()
