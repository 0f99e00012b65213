"""Who may ask, what waits, what is answered. Nothing here touches a pixel or imports what does."""
