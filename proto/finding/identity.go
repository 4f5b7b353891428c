package finding

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"time"
)

// ComputeFingerprint hashes what makes two sightings the same use: asset,
// signature, deciding evidence kind and value, user, process path and peer. Of
// what applications say of themselves, one sender tells many hosts and services:
// there host, service, pod, container and model count too.
// What a log told is not what was seen on the wire.
func ComputeFingerprint(f *Finding) string {
	h := sha256.New()
	writeField(h, f.Asset.Key)
	writeField(h, f.Asset.SignatureID)
	if len(f.Evidence) > 0 {
		writeField(h, f.Evidence[0].Kind)
		writeField(h, f.Evidence[0].Value)
	}
	writeField(h, f.User)
	writeField(h, f.ProcessPath)
	peer := f.PeerName
	if peer == "" {
		peer = f.PeerAddress
	}
	writeField(h, peer)
	writeField(h, f.ClientAddress)
	writeField(h, f.Model.Path)
	if f.Sensor == SensorApplication {
		for _, s := range []string{f.HostName, f.Attributes["service.namespace"], f.Attributes["service.name"], f.Attributes["k8s.pod.name"], f.Container, f.Model.Name} {
			writeField(h, s)
		}
	}
	if f.Sensor == "log" {
		writeField(h, f.Sensor)
	}
	sum := h.Sum(nil)
	return hex.EncodeToString(sum[:16])
}

// ComputeID is the 128-bit identity of one folding window of one fingerprint
// on one agent. The same window sent again has the same id.
func ComputeID(agentID, fingerprint string, windowStart time.Time) string {
	h := sha256.New()
	writeField(h, agentID)
	writeField(h, fingerprint)
	var seconds [8]byte
	binary.BigEndian.PutUint64(seconds[:], uint64(windowStart.Unix()))
	h.Write(seconds[:])
	sum := h.Sum(nil)
	return hex.EncodeToString(sum[:16])
}

// writeField writes s with its length, so that no two field lists share a hash input.
func writeField(h hash.Hash, s string) {
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(s)))
	h.Write(length[:])
	h.Write([]byte(s))
}
