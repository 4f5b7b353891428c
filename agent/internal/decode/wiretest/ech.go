package wiretest

// ECHConfig returns one configuration for encrypted hellos (RFC 9849, section
// 4): X25519, HKDF-SHA256, AES-128-GCM, no extensions.
func ECHConfig(id byte, key []byte, publicName string) []byte {
	body := Join([]byte{id}, U16(0x20), U16(len(key)), key, U16(4), U16(1), U16(1),
		[]byte{0, byte(len(publicName))}, []byte(publicName), U16(0))
	return Join(U16(0xfe0d), U16(len(body)), body)
}

// ECHConfigList returns the list that holds the configurations.
func ECHConfigList(configs ...[]byte) []byte {
	all := Join(configs...)
	return Join(U16(len(all)), all)
}

// ECHExtension returns an encrypted_client_hello extension of the outer form
// with an encapsulated key and a payload of the given lengths, as a client
// without a configuration sends it: GREASE.
func ECHExtension(id byte, key, payload int) []byte {
	body := Join([]byte{0}, U16(1), U16(1), []byte{id}, U16(key), make([]byte, key), U16(payload), make([]byte, payload))
	return Join(U16(0xfe0d), U16(len(body)), body)
}

// WithExtension adds an extension to the hello of a one-record flight.
func WithExtension(flight, extension []byte) []byte {
	body := Join(HelloBody(flight), extension)
	at := 2 + 32 + 1 + int(body[34])
	at += 2 + int(body[at])<<8 + int(body[at+1])
	at += 1 + int(body[at])
	n := len(body) - at - 2
	body[at], body[at+1] = byte(n>>8), byte(n)
	return Flight(body)
}

// Flight puts the body of a ClientHello into one record.
func Flight(body []byte) []byte {
	message := Join([]byte{1}, u24(len(body)), body)
	return Join([]byte{22, 3, 1}, U16(len(message)), message)
}
