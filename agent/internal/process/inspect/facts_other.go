//go:build !linux && !darwin && !windows

package inspect

// bootClock is not needed: nothing is read here.
type bootClock struct{}

// Stamp returns ErrUnsupported.
func (r *Reader) Stamp(int32) (Stamp, error) { return Stamp{}, ErrUnsupported }

// Facts returns ErrUnsupported.
func (r *Reader) Facts(int32) (Facts, error) { return Facts{}, ErrUnsupported }
