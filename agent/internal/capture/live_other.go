//go:build !linux

package capture

import "time"

// Live stands for live capture, which this system has not.
type Live struct{}

// CheckLive returns ErrUnsupported.
func CheckLive() error { return ErrUnsupported }

// OpenLive returns ErrUnsupported.
func OpenLive(string, LiveOptions) (*Live, error) { return nil, ErrUnsupported }

// Next returns ErrUnsupported.
func (*Live) Next(*Frame, time.Duration) error { return ErrUnsupported }

// Stats returns ErrUnsupported.
func (*Live) Stats() (Stats, error) { return Stats{}, ErrUnsupported }

// Close does nothing.
func (*Live) Close() {}
