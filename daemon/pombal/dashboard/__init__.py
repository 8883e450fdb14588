"""The dashboard: pages for a browser, made here and sent whole; modules in the browser keep them alive."""
