package pack

import (
	"errors"
	"fmt"
)

// Why a pack is refused. Each is wrapped in a sentence that says what is wrong
// with this pack and what to do.
var (
	ErrDamaged      = errors.New("the pack is damaged; fetch it again")
	ErrNewerFormat  = errors.New("the pack needs a newer program; update the agent, or use the pack that was made for this version")
	ErrUnsigned     = errors.New("the pack is not signed by a pinned key; get it from whoever publishes it, or pin the new key if the publisher has announced one")
	ErrForged       = errors.New("the signature of a pinned key does not fit; the pack was changed after signing: fetch it again, and ask the publisher if that does not help")
	ErrAgentTooOld  = errors.New("the agent is older than the pack allows; update the agent first")
	ErrRolledBack   = errors.New("the pack is older than one accepted before; fetch the newest, or allow the rollback explicitly")
	ErrOtherLine    = errors.New("the pack belongs to another line of packs than those accepted before; allow the change explicitly, or use a pack of the line")
	ErrSelfTest     = errors.New("the pack fails its own tests; keep the one before and tell the publisher")
	ErrInvalidRules = errors.New("the pack holds signatures that this program does not accept; keep the one before and tell the publisher")
)

// refusal is a reason with what is particular to this pack.
type refusal struct {
	reason error
	detail string
}

func (r *refusal) Error() string { return r.detail + ": " + r.reason.Error() }
func (r *refusal) Unwrap() error { return r.reason }

func refuse(reason error, format string, args ...any) error {
	return &refusal{reason, fmt.Sprintf(format, args...)}
}
