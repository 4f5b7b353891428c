// Package tls reads what a client says in the clear when it opens a TLS or
// DTLS connection: the ClientHello (RFC 8446, section 4.1.2; RFC 5246;
// RFC 6347; RFC 9147).
//
// It is pure: no I/O, no goroutine, no log, and no allocation; what it returns
// are parts of the input. It imports nothing of ours. It decrypts nothing, and
// reads no certificate.
package tls

import (
	"encoding/binary"
	"iter"
)

// Extension numbers
// (https://www.iana.org/assignments/tls-extensiontype-values).
const (
	extensionServerName        = 0
	extensionSignatures        = 13
	extensionALPN              = 16
	extensionSupportedVersions = 43
	extensionECH               = 0xfe0d // RFC 9849
	extensionESNI              = 0xffce // draft-ietf-tls-esni-02 to -06
)

// ClientHello is what a hello says. Its slices are parts of the input.
type ClientHello struct {
	ServerName []byte // as sent; nil where there is none
	Version    uint16 // the highest version offered, GREASE left out
	ECH        ECH    // what an encrypted_client_hello extension says
	ESNI       bool   // its forerunner is there
	Partial    bool   // the hello was cut; what lies behind the cut is unknown
	alpn       []byte // protocol name list
	print      fingerprint
}

// ALPN lists the protocols that the client offers, in its order (RFC 7301).
func (h *ClientHello) ALPN() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for list := h.alpn; len(list) > 0; {
			n := int(list[0])
			if n == 0 || n >= len(list) || !yield(list[1:1+n]) {
				return
			}
			list = list[1+n:]
		}
	}
}

// HasALPN reports whether any protocol is offered.
func (h *ClientHello) HasALPN() bool { return len(h.alpn) > 1 }

// cursor reads forward; after a read beyond the end it is failed and reads
// nothing more.
type cursor struct {
	b      []byte
	failed bool
}

func (c *cursor) take(n int) []byte {
	if n > len(c.b) {
		c.failed = true
		c.b = nil
		return nil
	}
	taken := c.b[:n]
	c.b = c.b[n:]
	return taken
}

func (c *cursor) number(bytes int) int {
	n := 0
	for _, b := range c.take(bytes) {
		n = n<<8 | int(b)
	}
	return n
}

// vector reads a length of the given size and as many bytes; where the input
// ends before, it returns what there is.
func (c *cursor) vector(lengthBytes int) []byte {
	n := c.number(lengthBytes)
	if n > len(c.b) {
		rest := c.b
		c.take(n)
		return rest
	}
	return c.take(n)
}

// Parse reads the body of a ClientHello, without the four bytes of handshake
// header. datagram says that it is DTLS, which has a cookie. complete is false
// where the input is known to be cut: then the hello is read as far as it
// goes. ok is false where the input is no ClientHello.
func Parse(body []byte, datagram, complete bool, h *ClientHello) (ok bool) {
	*h = ClientHello{Partial: !complete}
	c := cursor{b: body}
	if v := c.take(2); v == nil || !plausibleVersion(v, datagram) {
		return false
	}
	h.Version = binary.BigEndian.Uint16(body)
	c.take(32) // random
	session := c.vector(1)
	if len(session) > 32 {
		return false
	}
	if datagram {
		c.vector(1) // cookie
	}
	suites := c.vector(2)
	if len(suites)%2 != 0 && !c.failed {
		return false
	}
	compression := c.vector(1)
	if c.failed {
		return !complete && len(body) >= 34
	}
	if len(suites) == 0 || len(compression) == 0 {
		return false
	}
	h.print.suites = suites
	if len(c.b) == 0 { // no extensions at all, as SSL 3.0 and TLS 1.0 allow
		return true
	}
	extensions := cursor{b: c.vector(2)}
	if c.failed && complete {
		h.Partial = true
	}
	h.print.extensions = extensions.b
	h.extensions(&extensions)
	return true
}

func plausibleVersion(v []byte, datagram bool) bool {
	if datagram {
		return v[0] == 0xfe && v[1] >= 0xfc || v[0] == 1 && v[1] == 0
	}
	return v[0] == 3 && v[1] <= 4
}

// extensions reads the extension list as far as it goes.
func (h *ClientHello) extensions(c *cursor) {
	for len(c.b) > 0 {
		kind := c.number(2)
		data := c.vector(2)
		if c.failed && len(data) == 0 {
			h.Partial = true
			return
		}
		switch kind {
		case extensionServerName:
			h.print.named = true
			h.serverName(data)
		case extensionALPN:
			list := cursor{b: data}
			h.alpn = list.vector(2)
		case extensionSupportedVersions:
			h.versions(data)
		case extensionSignatures:
			list := cursor{b: data}
			h.print.signatures = list.vector(2)
		case extensionECH:
			h.ECH.read(data)
		case extensionESNI:
			h.ESNI = true
		}
		if c.failed {
			h.Partial = true
			return
		}
	}
}

// serverName takes the first host_name (RFC 6066, section 3). A name that is
// cut is no name.
func (h *ClientHello) serverName(data []byte) {
	list := cursor{b: data}
	list = cursor{b: list.vector(2)}
	for len(list.b) > 0 && h.ServerName == nil {
		kind := list.number(1)
		name := list.vector(2)
		if list.failed {
			return
		}
		if kind == 0 && len(name) > 0 {
			h.ServerName = name
		}
	}
}

// versions takes the highest version of supported_versions (RFC 8446,
// section 4.2.1). Versions of DTLS count downwards.
func (h *ClientHello) versions(data []byte) {
	list := cursor{b: data}
	offered := list.vector(1)
	for ; len(offered) >= 2; offered = offered[2:] {
		v := binary.BigEndian.Uint16(offered)
		switch {
		case v>>8 == 3 && v > h.Version:
			h.Version = v
		case v>>8 == 0xfe && v < h.Version:
			h.Version = v
		}
	}
}
