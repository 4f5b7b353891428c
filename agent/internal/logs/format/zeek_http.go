package format

// newZeekHTTP reads http.log: requests in the clear
// (https://docs.zeek.org/en/master/logs/http.html).
func newZeekHTTP(o Options) Parser {
	return newZeek(o, zeekConnection(Keys{
		"host": {"host"}, "path": {"uri"}, "method": {"method"}, "user": {"username"}, "status": {"status_code"},
		"bytes_up": {"request_body_len"}, "bytes_down": {"response_body_len"},
	}), nil)
}
