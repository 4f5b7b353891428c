"""Asks HOST:PORT for each name over HTTP/1.1.

usage: client.py HOST PORT AUTHORITY NAME...
"""
import http.client
import socket
import ssl
import sys

host, port, authority, *names = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
for name in names:
    connection = http.client.HTTPSConnection(name, int(port), context=context, timeout=20)
    raw = socket.create_connection((host, int(port)), timeout=20)
    connection.sock = context.wrap_socket(raw, server_hostname=name)
    connection.request("GET", "/v1/models")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        sys.exit(f"{name}: {answer.status}")
