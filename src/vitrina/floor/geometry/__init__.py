"""The floor in a camera's picture: pixels ↔ metres, how sure, and what the camera's place says. Pure."""
