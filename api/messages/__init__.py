"""What is asked and answered over HTTP: queries, bodies, replies and the OpenAPI document."""
