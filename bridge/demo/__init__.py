"""What ``paintbridge demo`` shows: a photograph, in the public domain (see LICENSE.txt)."""
