// Command live measures the built agent on live traffic between two network
// namespaces that it makes for the purpose: bulk transfer at a given rate, and
// beside it new TLS and QUIC connections, each under a name of its own that the
// catalogue knows. For each kernel filter, it prints the throughput, how many
// of the names the agent reported, what the agent took of a core, its memory,
// and what the kernel dropped. It needs root and `ip`; namespaces and devices
// end with its child processes.
//
// It is used by `make bench-live`. It imports the catalogue for names, the wire
// contract to read what the agent sends, and quic-go for clients; the agent it
// knows as a built binary only.
package main
