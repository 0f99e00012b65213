"""The command line: ``paintbridge serve | fill | refine | generate | demo | doctor | token | models``."""
