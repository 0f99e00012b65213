"""AUTOMATIC1111's HTTP API, the part that editors' plug-ins use, by its public documentation
(https://github.com/AUTOMATIC1111/stable-diffusion-webui/wiki/API). Names, defaults and formats are that server's.
"""
