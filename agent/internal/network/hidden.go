package network

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"github.com/gnomon-ai/gnomon/agent/internal/decode/link"
	"github.com/gnomon-ai/gnomon/agent/internal/decode/tls"
	"github.com/gnomon-ai/gnomon/signatures"
)

// veil is a way in which somebody chose to hide names or destinations.
type veil uint8

const (
	veilNone  veil = iota
	veilDoH        // DNS over HTTPS (RFC 8484)
	veilDoT        // DNS over TLS or DTLS (RFC 7858, RFC 8094)
	veilDoQ        // DNS over QUIC (RFC 9250)
	veilRelay      // a privacy relay, which forwards all kinds of connections
	veilVPN        // a tunnel
	veilKinds
)

// attributeBlind is the attribute of an observation whose connection hides
// others; its value is the reason that the coverage reports.
const attributeBlind = "blind"

var veilReasons = [veilKinds]string{veilDoH: "doh", veilDoT: "dot", veilDoQ: "doq", veilRelay: "relay", veilVPN: "vpn"}

var veilCounters = [veilKinds]counter{veilDoH: hiddenDoH, veilDoT: hiddenDoT, veilDoQ: hiddenDoQ, veilRelay: hiddenRelay, veilVPN: hiddenVPN}

// The ports of encrypted DNS and of the VPNs that are recognised there.
const (
	portHTTPS       = 443
	portDNSOverTLS  = 853
	portIKE         = 500
	portIKENAT      = 4500
	portOpenVPN     = 1194
	portRDP         = 3389
	protocolPPTP    = 47
	protocolESP     = 50
	dohPath         = "/dns-query" // RFC 8484, section 4.1.1, and every resolver of the list
	maxDesignations = 256
)

// veils knows the names and addresses that hide.
type veils struct {
	names      map[string]veil // of the list; below a dot all names
	addresses  map[link.Address]veil
	designated recent[string, veil] // resolvers that DNS itself named (RFC 9462)
}

func newVeils() veils {
	v := veils{names: make(map[string]veil), addresses: make(map[link.Address]veil), designated: newRecent[string, veil](maxDesignations)}
	for _, n := range veiledNames() {
		v.names[n.name] = n.kind
	}
	for _, list := range veiledAddresses() {
		for _, text := range list {
			v.addresses[netip.MustParseAddr(text).As16()] = veilDoH
		}
	}
	return v
}

// ofName returns the veil of a name in normal form.
func (v *veils) ofName(name string) veil {
	if name == "" {
		return veilNone
	}
	if kind := v.names[name]; kind != veilNone {
		return kind
	}
	if kind := v.designated.entries[name]; kind != veilNone {
		return kind
	}
	if derp(name) {
		return veilVPN
	}
	for rest := name; ; {
		dot := strings.IndexByte(rest, '.')
		if dot < 0 {
			return veilNone
		}
		if kind := v.names[rest[dot:]]; kind != veilNone {
			return kind
		}
		rest = rest[dot+1:]
	}
}

// derp reports whether a name is that of one of Tailscale's relays
// (https://login.tailscale.com/derpmap/default).
func derp(name string) bool {
	return strings.HasPrefix(name, "derp") && strings.HasSuffix(name, ".tailscale.com")
}

// ofHello returns the veil of a connection by its hello; name may be "".
func (v *veils) ofHello(f *flow, h *tls.ClientHello, name string, over transport) veil {
	server := f.key.end(1 - int(f.client))
	for protocol := range h.ALPN() {
		switch {
		case string(protocol) == "dot":
			return veilDoT
		case strings.HasPrefix(string(protocol), "doq"): // also of the drafts
			return veilDoQ
		}
	}
	kind := v.ofName(name)
	switch {
	case kind == veilRelay || kind == veilVPN:
		return kind
	case server.Port == portDNSOverTLS && over == overQUIC:
		return veilDoQ
	case server.Port == portDNSOverTLS:
		return veilDoT
	case kind != veilNone:
		return kind
	case server.Port == portHTTPS:
		return v.addresses[server.Address]
	}
	return veilNone
}

// veil counts a flow under a kind, once, and returns the reason for the
// attribute; f may be nil.
func (e *engine) veil(f *flow, kind veil) (reason string) {
	if kind == veilNone {
		return ""
	}
	if f == nil || f.veiled>>kind&1 == 0 {
		e.tally[veilCounters[kind]]++
	}
	if f != nil {
		f.veiled |= 1 << kind
	}
	return veilReasons[kind]
}

// veilOfFlow returns the veil of a connection that gave no name of its own: the
// one it was counted under, or that of the name which DNS gave to its server.
func (e *engine) veilOfFlow(f *flow) veil {
	for kind := veilNone + 1; kind < veilKinds; kind++ {
		if f.veiled>>kind&1 != 0 {
			return kind
		}
	}
	return e.veils.ofName(f.answer)
}

// veilRequest marks a request for DNS over HTTPS that is in the clear.
func (e *engine) veilRequest(o *signatures.Observation) {
	if o.Path != dohPath {
		return
	}
	if o.Attributes == nil {
		o.Attributes = make(map[string]string, 1)
	}
	o.Attributes[attributeBlind] = e.veil(e.current, veilDoH)
}

// vpn takes a packet that belongs to a tunnel, or opens one. The tunnel is
// known by its ends, and named by what DNS gave its server's address for.
func (e *engine) vpn(p *link.Packet) {
	var key flowKey
	from := keyOf(p, &key)
	f := e.datagramFlow(key, from)
	e.count(f, from, len(p.Payload)+p.Missing)
	e.veil(f, veilVPN)
	e.report(f)
	e.current = nil
}

// opensVPN reports whether a datagram opens a tunnel of WireGuard, OpenVPN or
// IKE.
func opensVPN(p *link.Packet) bool {
	b := p.Payload
	switch {
	case len(b) < 14:
		return false
	case b[0] == 1:
		return wireGuardInitiation(b)
	case b[0]>>3 == 7 || b[0]>>3 == 10:
		return openVPNReset(b, eitherPort(p, portOpenVPN))
	case eitherPort(p, portIKE):
		return initiatesIKE(b)
	case eitherPort(p, portIKENAT):
		return binary.BigEndian.Uint32(b) == 0 && initiatesIKE(b[4:])
	}
	return false
}

func eitherPort(p *link.Packet, port uint16) bool {
	return p.Source.Port == port || p.Destination.Port == port
}

// wireGuardInitiation reads the first message of a handshake
// (https://www.wireguard.com/protocol/, "First Message: Initiator to
// Responder"): its type, three zero bytes, and its length.
func wireGuardInitiation(b []byte) bool {
	const initiation = 148
	return len(b) == initiation && binary.LittleEndian.Uint32(b) == 1
}

// openVPNReset reads the first control packet of a client
// (https://openvpn.net/community-docs/openvpn-protocol.html):
// P_CONTROL_HARD_RESET_CLIENT_V2 or V3 with key 0. Without its port, only the
// form without authentication is plain enough: nothing acknowledged, packet 0.
func openVPNReset(b []byte, port bool) bool {
	const (
		resetV2 = 7 << 3
		resetV3 = 10 << 3
		session = 8
		plain   = 1 + session + 1 + 4
	)
	if b[0] != resetV2 && b[0] != resetV3 {
		return false
	}
	if port {
		return true
	}
	return len(b) == plain && b[0] == resetV2 && b[9] == 0 && binary.BigEndian.Uint32(b[10:]) == 0 && binary.BigEndian.Uint64(b[1:]) != 0
}

// openVPNStream is openVPNReset for a TCP stream, where a length precedes each
// packet.
func openVPNStream(b []byte, port bool) bool {
	if len(b) < 2+14 {
		return false
	}
	n := int(binary.BigEndian.Uint16(b))
	return n >= 14 && n <= len(b)-2 && openVPNReset(b[2:2+n], port)
}

// initiatesIKE reads the header of an IKE_SA_INIT request (RFC 7296, section
// 3.1) or of the first message of IKE version 1 (RFC 2408, section 3.1): no
// responder yet.
func initiatesIKE(b []byte) bool {
	const (
		header     = 28
		saInit     = 34
		mainMode   = 2
		aggressive = 4
		version1   = 0x10
		version2   = 0x20
	)
	if len(b) < header || binary.BigEndian.Uint64(b) == 0 || binary.BigEndian.Uint64(b[8:]) != 0 {
		return false
	}
	if int(binary.BigEndian.Uint32(b[24:])) != len(b) {
		return false
	}
	return b[17] == version2 && b[18] == saInit || b[17] == version1 && (b[18] == mainMode || b[18] == aggressive)
}
