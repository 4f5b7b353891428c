package capture

// LiveOptions say how an interface is read.
type LiveOptions struct {
	SnapLength    int  // bytes of a frame that are kept
	Promiscuous   bool // also take frames that are for others: mirror ports
	ReceiveBuffer int  // bytes the kernel may hold; 0 leaves the system's default
}
