package modelformat

import (
	"encoding/binary"
)

// xgboostLegacyHeader is the size in bytes of LearnerModelParamLegacy, after
// which the names of objective and booster follow, each behind a u64 of its
// length. Source: dmlc/xgboost, src/learner.cc.
const xgboostLegacyHeader = 136

// detectXGBoostLegacy recognises the binary format that XGBoost wrote before
// JSON. It has no magic number (some files start with "binf"); the two names
// are the proof.
func detectXGBoostLegacy(f *File) (Result, bool) {
	at := xgboostLegacyHeader
	if f.hasPrefix(0, "binf") {
		at += 4
	}
	objective, next := pascalName(f.head, at)
	if objective == "" {
		return Result{}, false
	}
	booster, _ := pascalName(f.head, next)
	switch booster {
	case "gbtree", "gblinear", "dart":
	default:
		return Result{}, false
	}
	res := Result{Format: "xgboost-binary-legacy", Confidence: Likely}
	res.set(FactFramework, "xgboost")
	res.set(FactObjective, objective)
	res.set(FactArchitecture, booster)
	return res, true
}

// pascalName reads a short lower-case name behind a u64 of its length.
func pascalName(b []byte, at int) (string, int) {
	if len(b) < at+8 {
		return "", 0
	}
	n := binary.LittleEndian.Uint64(b[at:])
	at += 8
	if n < 3 || n > 48 || len(b) < at+int(n) {
		return "", 0
	}
	s := b[at : at+int(n)]
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == ':' || c == '_') {
			return "", 0
		}
	}
	return string(s), at + int(n)
}
