package ingest

import (
	"time"

	"github.com/gnomon-ai/gnomon/proto/finding"
)

// Reason says why a record was refused. It is a metric label and part of the
// answer to the sender.
type Reason string

// The reasons for refusing a record.
const (
	ReasonForeignEvent  Reason = "foreign_event"  // no gnomon event: another kind of log
	ReasonBadField      Reason = "bad_field"      // an attribute of the wrong type or size
	ReasonNoAgent       Reason = "no_agent"       // the resource names no agent
	ReasonNoAsset       Reason = "no_asset"       // nothing was found
	ReasonBadIdentity   Reason = "bad_identity"   // id or fingerprint is no 128-bit hash, or not the one of this agent and window
	ReasonBadTime       Reason = "bad_time"       // window or sightings out of order, or before 2020
	ReasonFuture        Reason = "future"         // later than the clock skew allows: check the sender's clock
	ReasonBadCount      Reason = "bad_count"      // nothing counted
	ReasonBadConfidence Reason = "bad_confidence" // not 1 to 100
	ReasonBadState      Reason = "bad_state"      // coverage state is not on, degraded or off
	ReasonStore         Reason = "refused_by_store"
)

// earliest is before any agent existed: an older time is a clock at its epoch.
func earliest() time.Time { return time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) }

// validateFinding returns why f cannot be taken, or "".
func validateFinding(f *finding.Finding, latest time.Time) Reason {
	switch {
	case f.AgentID == "" || f.HostName == "":
		return ReasonNoAgent
	case f.Asset.Key == "" || f.Asset.Kind == "":
		return ReasonNoAsset
	case f.Count == 0:
		return ReasonBadCount
	case f.Confidence < 1 || f.Confidence > 100:
		return ReasonBadConfidence
	case f.WindowStart.Before(earliest()) || f.WindowEnd.Before(f.WindowStart) || f.LastSeen.Before(f.FirstSeen) || f.FirstSeen.Before(earliest()):
		return ReasonBadTime
	case f.WindowStart.After(latest) || f.LastSeen.After(latest):
		return ReasonFuture
	case !isHash(f.ID) || !isHash(f.Fingerprint) || f.ID != finding.ComputeID(f.AgentID, f.Fingerprint, f.WindowStart):
		return ReasonBadIdentity
	}
	return ""
}

// validateCoverage returns why c cannot be taken, or "".
func validateCoverage(c *finding.Coverage, latest time.Time) Reason {
	switch {
	case c.AgentID == "" || c.HostName == "":
		return ReasonNoAgent
	case c.Sensor == "":
		return ReasonBadField
	case c.State != "on" && c.State != "degraded" && c.State != "off":
		return ReasonBadState
	case c.Until.Before(c.Since) || c.Until.Before(earliest()):
		return ReasonBadTime
	case c.Until.After(latest):
		return ReasonFuture
	}
	return ""
}

// isHash holds for 32 lower-case hex digits.
func isHash(s string) bool {
	if len(s) != 32 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
