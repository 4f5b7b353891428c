// Package owner answers which process and user a connection belongs to.
//
// It may import signatures, agent/internal/process/inspect and
// agent/internal/sockettrace. It has three ways, best first:
//
//   - ebpf: the kernel tells who opens a connection as it happens
//     (sockettrace), also in containers, also of a process that has ended since.
//     Observe has nothing to do then, Lookup asks the kernel's record.
//   - sock_diag: the socket is asked for at the first packet (Observe), then its
//     holder is looked for in /proc. A process that ends at once is missed.
//   - proc: as before, with whole tables read through gopsutil. It is the way on
//     Windows.
//
// A connection that the kernel did not record (it is older than the agent, or
// was accepted by this host) goes to the next way. A resolver without Run
// answers too, without the first way.
//
// What it deliberately does not do: without ebpf it sees one network namespace,
// so a connection inside a container's own namespace has no socket here; with
// it, it names the process that opened the connection, not one that the socket
// was handed to later. It reads no environment and no socket content, and the
// command line that it returns is for matching on this host only: with ebpf its
// first two elements.
package owner

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/process/inspect"
	"github.com/gnomon-ai/gnomon/agent/internal/sockettrace"
	"github.com/gnomon-ai/gnomon/signatures"
)

// Reason says why the owner of a connection is not known, or not wholly; ""
// where it is. The values are those of finding.Finding.OwnerUnknown.
type Reason string

// The reasons.
const (
	// NoSocket: the address is this host's, but no socket has this
	// connection: it was closed, or lives in another network namespace, or
	// the search for its holder was not due.
	NoSocket Reason = "no_socket"
	// NoPermission: the socket is known, but not every process may be looked
	// into, and none of those that may holds it. The user is set.
	NoPermission Reason = "no_permission"
	// Exited: the socket is known, but no process holds it any more.
	Exited Reason = "exited"
	// NotLocal: neither end is an address of this host, as on a gateway.
	NotLocal Reason = "not_local"
	// LostEvent: the address is this host's and no socket has this connection,
	// and the kernel's record of it may have been overwritten by later ones.
	LostEvent Reason = "lost_event"
	// Unsupported: this system offers no way that the agent may use.
	Unsupported Reason = "unsupported"
)

// Method is a way to find owners, see the package comment.
type Method string

// The methods.
const (
	Auto     Method = "auto" // the best that the host has
	EBPF     Method = "ebpf" // as auto, and reported as degraded where it is not to be had
	SockDiag Method = "sock_diag"
	Proc     Method = "proc"
)

// Config says how owners are found and bounds what that may cost.
type Config struct {
	Method         Method        `yaml:"method"`          // auto, ebpf, sock_diag or proc
	CgroupRoot     string        `yaml:"cgroup_root"`     // ebpf: root of the control groups, version 2; "" looks for it
	Connections    int           `yaml:"connections"`     // ebpf: connections that the kernel remembers, for each of TCP and UDP
	Programs       int           `yaml:"programs"`        // ebpf: programs that the kernel remembers, about 2 KiB each
	Remember       int           `yaml:"remember"`        // connections whose owner is remembered
	RememberFor    time.Duration `yaml:"remember_for"`    // how long
	Queue          int           `yaml:"queue"`           // connections observed and not yet asked about
	MaxWait        time.Duration `yaml:"max_wait"`        // longest that Lookup waits until a full walk is due
	LocalAddresses time.Duration `yaml:"local_addresses"` // how long the list of local addresses is believed
	Processes      int           `yaml:"processes"`       // process facts remembered
	SnapshotAge    time.Duration `yaml:"snapshot_age"`    // age at which the connection table is read anew where the kernel cannot be asked for one connection

	Facts   inspect.Config        `yaml:"facts"`
	Holders inspect.HoldersConfig `yaml:"holders"`
}

// DefaultConfig suits an endpoint.
func DefaultConfig() Config {
	trace := sockettrace.Default()
	return Config{
		Method: Auto, Connections: trace.Connections, Programs: trace.Programs,
		Remember:       4096,
		RememberFor:    2 * time.Minute,
		Queue:          1024,
		MaxWait:        250 * time.Millisecond,
		LocalAddresses: 15 * time.Second,
		Processes:      512,
		SnapshotAge:    2 * time.Second,
		Facts:          inspect.Default(),
		Holders:        inspect.DefaultHolders(),
	}
}

// Validate says which key is wrong and what it should be.
func (c Config) Validate() error {
	switch c.Method {
	case Auto, EBPF, SockDiag, Proc:
	default:
		return fmt.Errorf("method: %q is not one of auto, ebpf, sock_diag, proc", c.Method)
	}
	if err := c.trace().Validate(); err != nil {
		return err
	}
	switch {
	case c.Remember < 1 || c.Remember > 1<<20:
		return fmt.Errorf("remember: %d is outside 1 to 1048576", c.Remember)
	case c.RememberFor <= 0:
		return errors.New("remember_for: must be above 0")
	case c.Queue < 1 || c.Queue > 1<<20:
		return fmt.Errorf("queue: %d is outside 1 to 1048576", c.Queue)
	case c.MaxWait < 0 || c.MaxWait > 10*time.Second:
		return fmt.Errorf("max_wait: %s is outside 0s to 10s", c.MaxWait)
	case c.LocalAddresses < time.Second:
		return fmt.Errorf("local_addresses: %s is below 1s", c.LocalAddresses)
	case c.Processes < 1:
		return fmt.Errorf("processes: %d is below 1", c.Processes)
	case c.SnapshotAge <= 0:
		return errors.New("snapshot_age: must be above 0")
	}
	if err := c.Facts.Validate(); err != nil {
		return fmt.Errorf("facts.%w", err)
	}
	if err := c.Holders.Validate(); err != nil {
		return fmt.Errorf("holders.%w", err)
	}
	return nil
}

func (c Config) trace() sockettrace.Config {
	return sockettrace.Config{CgroupRoot: c.CgroupRoot, Connections: c.Connections, Programs: c.Programs}
}

// key is a connection from its client's side.
type key struct {
	udp            bool
	client, server netip.AddrPort
}

func keyOf(flow signatures.Flow) (key, bool) {
	k := key{client: plain(flow.Client), server: plain(flow.Server)}
	switch flow.Protocol {
	case "tcp":
	case "udp":
		k.udp = true
	default:
		return key{}, false
	}
	return k, k.client.IsValid() && k.server.IsValid()
}

func plain(address netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(address.Addr().Unmap().WithZone(""), address.Port())
}

func (k key) protocol() string {
	if k.udp {
		return "udp"
	}
	return "tcp"
}
