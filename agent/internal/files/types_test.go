package files

import (
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

type (
	observation = signatures.Observation
	blind       = finding.Blind
)
