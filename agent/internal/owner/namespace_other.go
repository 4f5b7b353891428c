//go:build !linux

package owner

// namespaceCookie is not known on this operating system.
func namespaceCookie() uint64 { return 0 }
