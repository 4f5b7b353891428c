package capture

// FilterMode says which filter decides in the kernel what reaches user space.
type FilterMode string

// The filters, best first. Auto is a wish: the best that can be had.
const (
	FilterAuto    FilterMode = "auto"
	FilterEBPF    FilterMode = "ebpf"    // FlowFilter: the first bytes of each connection
	FilterClassic FilterMode = "classic" // Filter: no state
	FilterNone    FilterMode = "none"    // everything
)

// LiveOptions say how an interface is read.
type LiveOptions struct {
	SnapLength    int         // bytes of a frame that are kept
	Promiscuous   bool        // also take frames that are for others: mirror ports
	ReceiveBuffer int         // bytes the kernel may hold for the interface; 0 leaves the system's default
	Filter        FilterMode  // "" is auto
	Flows         *FlowFilter // the filter that keeps state; nil where there is none
	Ring          bool        // read from a ring that the kernel shares, many frames at a wake-up: for gateways
	Readers       int         // sockets that share the interface's connections among them, at least 1
}
