package modelformat

// detectDLC recognises Qualcomm's deep learning containers: a zip with a member
// model or model.params that holds a FlatBuffers file of identifier NETD, NETP
// or NR64, from version 3 behind a word of eight bytes. Source:
// https://github.com/lutzroeder/netron/blob/main/source/dlc.js.
func detectDLC(f *File) (Result, bool) {
	z := f.archive()
	if z == nil {
		return Result{}, false
	}
	version := ""
	for _, name := range []string{"model", "model.params"} {
		if m := z.find(name); m != nil && version == "" {
			version = dlcVersion(f, m)
		}
	}
	if version == "" {
		return Result{}, false
	}
	res := Result{Format: "qualcomm-dlc", Confidence: Certain}
	res.set(FactFramework, "snpe")
	res.set(FactFormatVersion, version)
	return res, true
}

// dlcVersion returns the version of a member, "" where it is none.
func dlcVersion(f *File, m *zipMember) string {
	c := f.member(m)
	if c == nil || c.rest() < 16 {
		return ""
	}
	b := c.take(16)
	if b == nil {
		return ""
	}
	head, identifier := string(b[:8]), string(b[12:16])
	switch {
	case head == "\xd5\x0a\x04\x00\x00\x00\x00\x00" && (identifier == "NETD" || identifier == "NETP" || identifier == "NR64"):
		return "4"
	case head == "\xd5\x0a\x03\x00\x00\x00\x00\x00" && (identifier == "NETD" || identifier == "NETP"):
		return "3"
	case head[4:] == "NETD" || head[4:] == "NETP":
		return "3"
	case head[:4] == "\xd5\x0a\x02\x00":
		return "2"
	}
	return ""
}
