package format

// nginxKeys are the variables of nginx under their own names, as log_format
// with escape=json commonly writes them
// (https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format,
// https://nginx.org/en/docs/http/ngx_http_core_module.html#variables).
func nginxKeys() Keys {
	return Keys{
		"time":        {"time_iso8601", "msec", "time_local", "time", "@timestamp", "timestamp"},
		"host":        {"host", "http_host", "server_name"},
		"tls_name":    {"ssl_server_name", "ssl_preread_server_name"},
		"request":     {"request"},
		"method":      {"request_method", "method"},
		"path":        {"request_uri", "uri", "path"},
		"client":      {"remote_addr", "client", "client_ip"},
		"client_port": {"remote_port"},
		"server":      {"upstream_addr"},
		"user":        {"remote_user", "user"},
		"bytes_up":    {"request_length", "bytes_received"},
		"bytes_down":  {"bytes_sent", "body_bytes_sent"},
		"status":      {"status"},
	}
}

// newNginx reads nginx access logs in JSON.
func newNginx(o Options) Parser {
	p := newJSONLines(o, nginxKeys())
	return &p
}
