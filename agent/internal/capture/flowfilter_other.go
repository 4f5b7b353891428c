//go:build !linux

package capture

// FlowFilter stands for the filter that keeps state, which this system has not.
type FlowFilter struct{}

// NewFlowFilter returns ErrUnsupported.
func NewFlowFilter(FlowOptions) (*FlowFilter, error) { return nil, ErrUnsupported }

// Counts returns ErrUnsupported.
func (*FlowFilter) Counts(FlowKey) (FlowCounts, error) { return FlowCounts{}, ErrUnsupported }

// Limit returns ErrUnsupported.
func (*FlowFilter) Limit(FlowKey, [2]uint32) error { return ErrUnsupported }

// Close does nothing.
func (*FlowFilter) Close() error { return nil }
