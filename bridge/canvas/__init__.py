"""What an edit means in pixels: contexts, masks, infill, resampling, composition. No torch, no sockets.

Import the modules by name. `geometry`, `errors` and `context` need nothing but the standard library, so that the
server's process can plan jobs; the others need numpy and OpenCV and belong to the worker.

Everywhere: pictures are float32 of shape (h, w, 3) or (h, w, 4), sRGB-encoded with straight alpha, nominally 0..1, and
beyond it for deep documents; masks are float32 of shape (h, w), linear coverage 0..1; rectangles are canvas pixels.
"""
