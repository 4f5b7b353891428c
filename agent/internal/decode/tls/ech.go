package tls

import "encoding/binary"

// ECH is what an encrypted_client_hello extension (RFC 9849, section 5) says in
// the clear. It does not say whether it is real: a client without a
// configuration of the server sends one of random bytes (section 6.2), made to
// look the same. Only other knowledge tells the two apart: the server name
// that goes with a real one is the public name of a configuration that DNS
// gave out, and ConfigID is that configuration's.
type ECH struct {
	Present  bool
	Inner    bool  // the hello is the inner one, between two servers of the same operator: its name is the true one
	Sound    bool  // the fields of the outer form are all there
	ConfigID uint8 // where Sound
}

// read takes the body of the extension.
func (e *ECH) read(data []byte) {
	const outer, inner = 0, 1
	*e = ECH{Present: true}
	c := cursor{b: data}
	switch kind := c.take(1); {
	case kind == nil:
		return
	case kind[0] == inner:
		e.Inner = len(c.b) == 0
		return
	case kind[0] != outer:
		return
	}
	c.take(4) // key derivation and encryption functions
	id := c.number(1)
	c.vector(2) // encapsulated key; empty after a HelloRetryRequest
	payload := c.vector(2)
	if c.failed || len(payload) == 0 || len(c.b) > 0 {
		return
	}
	e.Sound, e.ConfigID = true, uint8(id)
}

// ECHConfig is what a configuration for encrypted hellos (RFC 9849, section 4)
// says about the hellos that are made with it.
type ECHConfig struct {
	ID         uint8
	PublicName []byte // the server name of the outer hello; part of the input
}

// maxPublicName is the longest that the format allows.
const maxPublicName = 255

// ECHConfigs opens an ECHConfigList, as the "ech" parameter of an HTTPS record
// holds it (RFC 9848), and returns its entries for NextECHConfig.
func ECHConfigs(list []byte) (entries []byte, ok bool) {
	if len(list) < 2 || int(binary.BigEndian.Uint16(list)) != len(list)-2 {
		return nil, false
	}
	return list[2:], true
}

// NextECHConfig reads the first entry that is of the version of RFC 9849 and
// returns what follows it. ok is false where there is none.
func NextECHConfig(entries []byte, config *ECHConfig) (rest []byte, ok bool) {
	for len(entries) > 0 {
		c := cursor{b: entries}
		version := c.number(2)
		body := c.vector(2)
		if c.failed {
			return nil, false
		}
		entries = c.b
		if version == extensionECH && config.read(body) {
			return entries, true
		}
	}
	return nil, false
}

// read takes the body of an entry: key configuration, longest name, public
// name, extensions.
func (config *ECHConfig) read(body []byte) bool {
	c := cursor{b: body}
	id := c.number(1)
	c.take(2)   // key encapsulation
	c.vector(2) // public key
	c.vector(2) // cipher suites
	c.take(1)   // longest inner name
	name := c.vector(1)
	c.vector(2) // extensions
	if c.failed || len(name) == 0 || len(name) > maxPublicName || len(c.b) > 0 {
		return false
	}
	config.ID, config.PublicName = uint8(id), name
	return true
}
