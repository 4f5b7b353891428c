//go:build !linux

package capture

import "time"

// Live stands for live capture, which this system has not.
type Live struct{}

// CheckLive returns ErrUnsupported.
func CheckLive() error { return ErrUnsupported }

// OpenLive returns ErrUnsupported.
func OpenLive(string, LiveOptions) ([]*Live, error) { return nil, ErrUnsupported }

// Mode returns ErrUnsupported.
func (*Live) Mode() (FilterMode, error) { return FilterNone, ErrUnsupported }

// Ring returns false.
func (*Live) Ring() bool { return false }

// Index returns 0.
func (*Live) Index() int { return 0 }

// Next returns ErrUnsupported.
func (*Live) Next(*Frame, time.Duration) error { return ErrUnsupported }

// Stats returns ErrUnsupported.
func (*Live) Stats() (Stats, error) { return Stats{}, ErrUnsupported }

// Wake does nothing.
func (*Live) Wake() {}

// Close does nothing.
func (*Live) Close() {}

// LinkWatch stands for news of interfaces, which this system does not tell.
type LinkWatch struct{}

// WatchLinks returns ErrUnsupported.
func WatchLinks() (*LinkWatch, error) { return nil, ErrUnsupported }

// Wait returns ErrUnsupported.
func (*LinkWatch) Wait() error { return ErrUnsupported }

// Close does nothing.
func (*LinkWatch) Close() error { return nil }
