package reconcile

import (
	"net/netip"
	"time"
)

// Usage is one asset on one host by one user on one day, with what is known of
// it. An empty field means unknown. Text compares without regard to case.
type Usage struct {
	AssetKey    string // for the caller; verdicts do not depend on it
	SignatureID string
	Provider    string
	Kind        string // for the caller; verdicts do not depend on it
	Model       Model
	Software    Software
	Extension   Extension
	Domain      string // host name of the service
	Account     string // tenant or organisation where a sensor sees it
	Confidence  uint8  // 1 to 100, of the best hit

	Host       string
	HostLabels map[string]string // from the directory; nil is unknown, empty is known to have none
	Addresses  []netip.Addr      // of the host, as seen; all of them must lie in a scope's networks
	Network    netip.Prefix      // of the host, from the directory; counts where no address was seen
	Channel    string            // endpoint, server, gateway or application
	Region     string
	User       string
	Groups     []string // from the directory; nil is unknown, empty is known to be in none
	// DataClasses is what is known of the data; metadata never tells, so it is
	// nil unless another system says so.
	DataClasses []string

	At time.Time // the instant that validity, reviews and contracts are held against
}

// Model is what is known of a model.
type Model struct {
	Name, Family, SHA256, Publisher, Format, License string
}

// Software is what is known of an installed program.
type Software struct {
	Publisher, Name, Version string
}

// Extension is what is known of an extension.
type Extension struct {
	Store, ID string
}

// identified reports whether anything is known that an inventory could name.
func (u *Usage) identified() bool {
	return u.SignatureID != "" || u.Domain != "" || u.Provider != "" || u.Model != (Model{}) ||
		u.Software.Publisher != "" || u.Software.Name != "" || u.Extension.ID != "" || u.Extension.Store != ""
}
