package modelformat

import (
	"bytes"
	"encoding/binary"
	"testing"
)

func samplesKerasH5(testing.TB) []sample {
	return []sample{
		{
			path: "m.h5", data: buildHDF5(hdf5Attribute{"backend", "tensorflow"}, hdf5Attribute{"keras_version", "2.15.0"},
				hdf5Attribute{"model_config", `{"class_name":"Sequential","config":{"name":"mlp"}}`}), format: "keras-h5",
			facts: map[string]string{FactProducerVersion: "2.15.0", FactProducer: "tensorflow", FactClass: "Sequential", FactName: "mlp"},
		},
		{path: "w.h5", data: buildHDF5v2(hdf5Attribute{"layer_names", "dense"}), format: "keras-h5"},
	}
}

func FuzzKerasH5(f *testing.F) { fuzzDetector(f, "keras-h5", "m.h5") }

// TestKerasVariableString: h5py writes strings of variable length, which lie in
// a global heap.
func TestKerasVariableString(t *testing.T) {
	le := binary.LittleEndian
	b := buildHDF5(hdf5Attribute{"keras_version", "0123456789abcdef"}, hdf5Attribute{"backend", "jax"})
	heap := uint64(len(b))
	b = append(b, "GCOL\x01\x00\x00\x00"...)
	b = le.AppendUint64(b, 4096)
	for i, s := range []string{"not this", "3.4.1"} {
		b = le.AppendUint16(b, uint16(i+1))
		b = append(b, 1, 0, 0, 0, 0, 0)
		b = le.AppendUint64(b, uint64(len(s)))
		b = append(b, (s + "\x00\x00\x00\x00\x00\x00\x00")[:8]...)
	}
	b = append(b, make([]byte, 16)...)
	at := bytes.Index(b, []byte("0123456789abcdef"))
	copy(b[at:], le.AppendUint32(le.AppendUint64(le.AppendUint32(nil, 5), heap), 2))
	b[at-16] = 0x19 // class 9, variable length
	got, err := Identify(bytes.NewReader(b), int64(len(b)), "m.h5")
	if err != nil || got.Format != "keras-h5" || got.Facts[FactProducerVersion] != "3.4.1" || got.Facts[FactProducer] != "jax" {
		t.Errorf("%+v %v", got, err)
	}
	// A heap that points back at itself must end.
	copy(b[at:], le.AppendUint32(le.AppendUint64(le.AppendUint32(nil, 5), 96), 2))
	if got, err := Identify(bytes.NewReader(b), int64(len(b)), "m.h5"); err != nil || got.Facts[FactProducerVersion] != "" {
		t.Errorf("%+v %v", got, err)
	}
}
