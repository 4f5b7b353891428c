// Command network holds the agent's replay of a large capture against its
// peers, in one run: bytes and packets a second, processor time, memory, and
// the names found.
//
//	go run ./integration/bench/network --captures DIR
//
// It builds a mixed capture of at least the size asked for from the Ethernet
// captures in DIR: as many passes over them as it takes, on one clock, with the
// outer IP addresses moved in each pass so that every connection is a new one.
// The peers are the programs that are installed: ndpiReader, tcpdump,
// packetbeat; one that is not there is left out and named.
//
// It imports nothing of the agent: it runs the built binary, as the peers. It
// reads captures with gopacket's pcapgo, an implementation that is not ours.
package main
