package format

// envoyKeys are those of the JSON access log that Istio configures, and of the
// format strings of Envoy's documentation
// (https://istio.io/latest/docs/tasks/observability/logs/access-log/,
// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage).
func envoyKeys() Keys {
	return Keys{
		"time":       {"start_time", "timestamp", "time", "@timestamp"},
		"host":       {"authority", ":authority", "host"},
		"tls_name":   {"requested_server_name", "sni"},
		"method":     {"method", "req_method"},
		"path":       {"path", "x_envoy_origin_path", "req_path"},
		"client":     {"downstream_remote_address", "downstream_direct_remote_address", "client_ip"},
		"server":     {"upstream_host"},
		"user":       {"user", "downstream_peer_subject"},
		"bytes_up":   {"bytes_received"},
		"bytes_down": {"bytes_sent"},
	}
}

// newEnvoy reads Envoy's JSON access log. A refusal by Envoy itself (an
// authorisation filter) is a status like any other and counts as use: the
// client asked.
func newEnvoy(o Options) Parser {
	p := newJSONLines(o, envoyKeys())
	return &p
}
