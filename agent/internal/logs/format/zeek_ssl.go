package format

// newZeekSSL reads ssl.log: the server name of TLS connections
// (https://docs.zeek.org/en/master/logs/ssl.html).
func newZeekSSL(o Options) Parser {
	return newZeek(o, zeekConnection(Keys{"tls_name": {"server_name"}}), nil)
}
