package network

import "github.com/gnomon-ai/gnomon/proto/finding"

// counter is one thing that is counted.
type counter int

const (
	packets counter = iota
	packetBytes
	observations
	panics
	framesCut
	framesNotIP
	framesOtherIP
	framesHeld
	framesMalformed
	framesHeaderCut
	framesTooDeep
	framesUnknownLink
	framesQuoted
	framesEncrypted
	framesProtected
	tcpSegments
	tcpDuplicates
	tcpOutOfOrder
	tcpWithoutFlow
	tcpGaps
	udpDatagrams
	flowsOpened
	flowsClosed
	flowsIdle
	flowsEvicted
	flowsUnnamed
	buffersEvicted
	directionsGivenUp
	directionsOverfull
	tlsHellos
	tlsHellosNameless
	tlsHellosPartial
	tlsHellosLost
	tlsECH
	tlsECHOuter
	tlsECHGrease
	tlsECHInner
	tlsESNI
	tlsESNIHidden
	tlsBehind
	proxyTargets
	hiddenDoH
	hiddenDoT
	hiddenDoQ
	hiddenRelay
	hiddenVPN
	httpRequests
	httpRequestsNameless
	httpRequestsPartial
	httpRequestsOld
	httpHostsDropped
	httpPathsCut
	httpPathsMasked
	http2Prefaces
	http2Midway
	http2Requests
	http2Unknown
	http2Malformed
	http2BlocksTooLong
	http2ValuesDropped
	dnsMessages
	dnsMalformed
	dnsOddPort
	dnsMulticast
	dnsAnswers
	dnsAnswersEvicted
	dnsECHConfigs
	dnsDesignations
	dnsNamesEvicted
	quicDatagrams
	quicFlows
	quicConnectionsOpened
	quicInitials
	quicHellos
	quicHellosRepeated
	quicHellosLost
	quicHellosOverfull
	quicRetries
	quicVersionNegotiations
	quicUnopened
	quicMalformed
	quicUndecrypted
	quicVersionUnknown
	quicCut
	namesUnusual
	continuations
	directionsLeft
	filterErrors
	counters
)

var counterNames = [counters]string{
	"packets", "bytes", "observations", "panics_recovered", "frames_cut", "frames_not_ip", "frames_other_ip", "frames_fragment_held",
	"frames_malformed", "frames_header_cut", "frames_too_deep", "frames_unknown_link",
	"frames_icmp_quotes", "frames_encrypted", "frames_link_encrypted", "tcp_segments", "tcp_duplicates",
	"tcp_out_of_order", "tcp_without_flow", "tcp_gaps", "udp_datagrams", "flows_opened", "flows_closed", "flows_idle", "flows_evicted",
	"flows_unnamed", "buffers_evicted", "directions_given_up", "directions_overfull", "tls_hellos", "tls_hellos_nameless",
	"tls_hellos_partial", "tls_hellos_lost", "tls_ech", "tls_ech_outer", "tls_ech_grease", "tls_ech_inner", "tls_esni", "tls_esni_hidden",
	"tls_behind_another_protocol", "proxy_targets", "hidden_doh", "hidden_dot", "hidden_doq", "hidden_relay", "hidden_vpn", "http_requests", "http_requests_nameless",
	"http_requests_partial", "http_requests_old", "http_hosts_dropped", "http_paths_cut", "http_paths_masked",
	"http2_prefaces", "http2_midway", "http2_requests", "http2_requests_unknown", "http2_malformed", "http2_blocks_too_long",
	"http2_values_dropped", "dns_messages", "dns_malformed", "dns_odd_port", "dns_multicast_questions", "dns_answers",
	"dns_answers_evicted", "dns_ech_configs", "dns_resolver_designations", "dns_names_evicted", "quic_datagrams", "quic_flows", "quic_connections", "quic_initials", "quic_hellos", "quic_hellos_repeated",
	"quic_hellos_lost", "quic_hellos_overfull", "quic_retries", "quic_version_negotiations", "quic_packets_unopened", "quic_malformed",
	"quic_flows_undecrypted", "quic_flows_version_unknown", "quic_flows_cut", "names_unusual",
	"continuations", "directions_left_to_kernel", "filter_errors",
}

// blindness lists the counters that say what was not seen, and the reason each
// is reported under.
var blindness = []struct {
	counter counter
	reason  string
	detail  string
}{
	{tlsECHOuter, "ech", "the server name of these TLS connections is encrypted"},
	{tlsESNIHidden, "esni", "the server name of these TLS connections is encrypted (draft form)"},
	{hiddenDoH, "doh", "connections to resolvers over HTTPS: the names asked for are not seen"},
	{hiddenDoT, "dot", "connections to resolvers over TLS: the names asked for are not seen"},
	{hiddenDoQ, "doq", "connections to resolvers over QUIC: the names asked for are not seen"},
	{hiddenRelay, "relay", "connections to privacy relays: what goes through them is not seen"},
	{hiddenVPN, "vpn", "VPN tunnels: what goes through them is not seen"},
	{framesProtected, "link_encryption", "frames that the link encrypts (802.11, MACsec)"},
	{dnsNamesEvicted, "dns_memory", "names learnt from DNS and forgotten because there were too many"},
	{quicUndecrypted, "quic_initial_undecryptable", "QUIC connections whose first packet was not seen, or does not decrypt: it has the key of the rest"},
	{quicVersionUnknown, "quic_version_unknown", "connections that look like QUIC of a version whose keys are not public"},
	{quicCut, "quic_initial_cut", "QUIC connections whose first packets the capture cut off before the server name"},
	{quicHellosLost, "quic_hello_incomplete", "QUIC connections whose ClientHello began and did not come as far as to be read"},
	{quicHellosOverfull, "quic_hello_too_long", "QUIC connections whose ClientHello is longer or in more pieces than is read"},
	{http2Unknown, "http2_table", "HTTP/2 requests whose host or path stands in a part of the connection that was not captured"},
	{http2Malformed, "http2_malformed", "HTTP/2 connections in the clear that were given up because they could not be read"},
	{http2BlocksTooLong, "http2_headers_too_long", "HTTP/2 requests with more header than is read"},
	{tlsHellosLost, "tls_hello_incomplete", "a TLS ClientHello began and its rest with the name did not come"},
	{tcpGaps, "tcp_gap", "segments of a TCP stream were not captured"},
	{framesUnknownLink, "link_type", "frames of a link type that is not decoded"},
	{framesTooDeep, "tunnel_depth", "frames with more tunnels inside each other than are opened"},
	{framesHeaderCut, "snap_length", "frames whose headers the capture cut off"},
	{flowsEvicted, "flow_table_full", "connections forgotten because too many were open at once"},
	{buffersEvicted, "buffer_budget", "connections given up because too many bytes waited for missing segments"},
	{directionsOverfull, "message_too_long", "connections given up because a message was longer than is read"},
	{panics, "panic", "frames that the decoder failed on"},
}

// tally counts.
type tally [counters]uint64

// export returns the counters by name.
func (t *tally) export() map[string]uint64 {
	m := make(map[string]uint64, counters)
	for c, name := range counterNames {
		m[name] = t[c]
	}
	return m
}

// export returns all counters, those of the fragment table included.
func (e *engine) export() map[string]uint64 {
	m := e.tally.export()
	f := e.walker.Fragments.Stats()
	m["fragments"] = f.Received
	m["fragments_refused"] = f.Refused
	m["datagrams_reassembled"] = f.Completed
	m["datagrams_expired"] = f.Expired
	m["datagrams_evicted"] = f.Evicted
	return m
}

// blindSpots lists what was not seen.
func (e *engine) blindSpots() []finding.Blind {
	var list []finding.Blind
	if f := e.walker.Fragments.Stats(); f.Expired+f.Evicted > 0 {
		list = append(list, finding.Blind{
			Reason: "ip_fragment", Detail: "IP datagrams whose fragments were not all captured", Count: f.Expired + f.Evicted,
		})
	}
	for _, b := range blindness {
		if n := e.tally[b.counter]; n > 0 {
			list = append(list, finding.Blind{Reason: b.reason, Detail: b.detail, Count: n})
		}
	}
	return list
}
