package signatures

import (
	"slices"
	"strings"
)

// rules checks every selector and that no two say the same.
func (c *checker) rules(key string, sig *Signature) {
	for i := range sig.Hosts {
		c.host(index1(key+".hosts", i), &sig.Hosts[i], sig)
	}
	for i := range sig.Paths {
		c.path(index1(key+".paths", i), &sig.Paths[i], sig)
	}
	for i := range sig.Fields {
		c.field(index1(key+".fields", i), &sig.Fields[i])
	}
	for i := range sig.Processes {
		c.process(index1(key+".processes", i), &sig.Processes[i])
	}
	for i := range sig.Arguments {
		c.argument(index1(key+".arguments", i), &sig.Arguments[i])
	}
	for i := range sig.Files {
		c.file(index1(key+".files", i), &sig.Files[i])
	}
	for i := range sig.Ports {
		c.port(index1(key+".ports", i), &sig.Ports[i])
	}
	for i := range sig.Formats {
		c.format(index1(key+".formats", i), &sig.Formats[i])
	}
	for i, name := range sig.GenAIProviders {
		if !providerForm.MatchString(name) {
			c.errorf(index1(key+".gen_ai_providers", i), "%q is no name of a provider: lower-case letters, digits, space and . _ - / at most 63, two at least", name)
		}
	}
	for i := range sig.Packages {
		c.pack(index1(key+".packages", i), &sig.Packages[i], sig.Kind)
	}
	for i := range sig.Extensions {
		if err := checkExtension(&sig.Extensions[i]); err != nil {
			c.errorf(index1(key+".extensions", i), "%v", err)
		}
	}
	for i := range sig.Models {
		if err := checkModel(sig.Models[i].Name); err != nil {
			c.errorf(index1(key+".models", i)+".name", "%v", err)
		}
	}
	seen := map[string]string{}
	all := selectors(sig)
	for _, s := range all {
		if first, twice := seen[s.text]; twice {
			c.errorf(key+"."+s.key, "says the same as %s", first)
		}
		seen[s.text] = s.key
	}
	if len(all) == 0 {
		c.errorf(key, "the signature has no rule: it can never match")
	} else if !canStand(sig) {
		c.errorf(key, "the signature can never match: it needs a strong rule, or weak rules of two kinds that one sensor sees together")
	}
}

// canStand says whether the rules of sig can make a match at all.
func canStand(sig *Signature) bool {
	strong := len(sig.Hosts)+len(sig.Formats)+len(sig.GenAIProviders)+len(sig.Models)+len(sig.Places()) > 0
	var network, process int // kinds of weak evidence that come together
	for i := range sig.Paths {
		strong = strong || sig.Paths[i].AnyHost && !sig.Paths[i].Weak
		network |= 1
	}
	for i := range sig.Fields {
		strong = strong || !sig.Fields[i].Weak
		if sig.Fields[i].Field == EvidenceHTTPMCP {
			network |= 2
		} else {
			network |= 4
		}
	}
	for i := range sig.Processes {
		strong = strong || !sig.Processes[i].Weak
		process |= 1
	}
	for i := range sig.Arguments {
		strong = strong || !sig.Arguments[i].Weak
		process |= 2
	}
	for i := range sig.Files {
		strong = strong || !sig.Files[i].Weak
		if sig.Files[i].Kind == "binary" {
			process |= 4
		}
	}
	for i := range sig.Packages {
		if a := packageArgument(0, &sig.Packages[i], sig.Kind, ""); a != nil {
			strong = strong || !a.rule.Weak
			process |= 2
		}
	}
	if len(sig.Ports) > 0 {
		network |= 8
		process |= 8
	}
	two := func(set int) bool { return set&(set-1) != 0 }
	return strong || two(network) || two(process)
}

func (c *checker) pack(key string, r *PackageRule, kind AssetKind) {
	if err := checkPackage(r); err != nil {
		c.errorf(key, "%v", err)
	} else if r.Ecosystem == "oci" && !kind.runs() {
		c.errorf(key, "an image is found where it is started by name: want kind mcp_server, agent, app or runtime, not %s", kind)
	}
}

func (c *checker) host(key string, r *HostRule, sig *Signature) {
	if r.Match != HostExact && r.Match != HostSuffix && r.Match != HostWildcard {
		c.errorf(key+".match", "%q is none of exact, suffix, wildcard", r.Match)
		return
	}
	if !oneOf(r.Role, HostRoles()) {
		c.errorf(key+".role", "%q is none of %s", r.Role, list(HostRoles()))
	}
	if err := checkHostValue(r.Value, r.Match); err != nil {
		c.errorf(key+".value", "%v", err)
		return
	}
	if r.Match == HostSuffix {
		if publicSuffix(r.Value) {
			c.errorf(key+".value", "%q matches too much: registries hand out names below it", r.Value)
		} else if reason, shared := sharedDomain(r.Value); shared {
			c.errorf(key+".value", "%q matches too much as a suffix: %s; name the hosts", r.Value, reason)
		}
	}
	if r.Match == HostWildcard {
		if _, tail, _ := strings.Cut(r.Value, "*."); publicSuffix(tail) {
			c.errorf(key+".value", "%q matches too much: registries hand out names below %s", r.Value, tail)
		}
	}
	if r.Label != "" && (r.Match != HostWildcard || !oneOf(r.Label, HostLabels())) {
		c.errorf(key+".label", "%q goes with match: wildcard and is one of %s", r.Label, strings.Join(HostLabels(), ", "))
	}
	if r.Shared && len(sig.Paths) == 0 {
		c.errorf(key+".shared", "a shared host needs a path rule that tells the AI from the rest")
	}
}

func (c *checker) path(key string, r *PathRule, sig *Signature) {
	if r.Suffix == "" && r.Prefix == "" {
		c.errorf(key, "want suffix or prefix")
		return
	}
	long := 0
	for _, part := range []struct{ name, value string }{{".suffix", r.Suffix}, {".prefix", r.Prefix}} {
		if part.value == "" {
			continue
		}
		if !strings.HasPrefix(part.value, "/") || strings.HasSuffix(part.value, "/") || strings.Contains(part.value, "//") || strings.ContainsAny(part.value, "?# ") {
			c.errorf(key+part.name, "%q is no path: it starts with /, ends without, and has no query", part.value)
			return
		}
		for segment := range strings.SplitSeq(part.value[1:], "/") {
			if strings.Trim(segment, "*") != "" {
				long++
			}
		}
	}
	if long == 0 {
		c.errorf(key, "the rule matches every path of that length")
	}
	if r.Method != "" && !methodForm.MatchString(r.Method) {
		c.errorf(key+".method", "%q is no HTTP method in capital letters", r.Method)
	}
	shared := slices.ContainsFunc(sig.Hosts, func(h HostRule) bool { return h.Shared })
	switch {
	case r.AnyHost && !r.Weak && long < 2:
		c.errorf(key, "matches too much on any host: give two segments or weak: true")
	case !r.AnyHost && r.Weak:
		c.errorf(key+".weak", "goes together with any_host")
	case !r.AnyHost && !shared:
		c.errorf(key, "completes nothing: mark a host rule shared or the path any_host")
	}
}

func (c *checker) field(key string, r *FieldRule) {
	if !oneOf(r.Field, Fields()) {
		c.errorf(key+".field", "%q is none of %s", r.Field, list(Fields()))
	}
	if strings.Trim(r.Value, "*") == "" {
		c.errorf(key+".value", "%q matches every request that has the field", r.Value)
	}
	if r.Field == EvidenceHTTPClient && !r.Weak {
		c.errorf(key+".weak", "what a client calls itself is weak")
	}
}

func (c *checker) process(key string, r *ProcessRule) {
	name := strings.ToLower(trimExe(r.Name))
	switch {
	case name == "" || len(r.Name) > maxProcessName || strings.ContainsAny(r.Name, "/\\*"):
		c.errorf(key+".name", "%q is no base name of a program (1 to %d characters, no path, no *)", r.Name, maxProcessName)
	case r.Weak:
	case isInterpreter(name):
		c.errorf(key+".name", "%q runs or names anything: use an argument rule, or weak: true", r.Name)
	case len(name) < minProcessName:
		c.errorf(key+".name", "%q matches too much: under %d letters a name is weak", r.Name, minProcessName)
	case r.Match == "prefix" && len(name) < minProcessStart:
		c.errorf(key+".name", "%q matches too much: under %d letters a beginning is weak", r.Name, minProcessStart)
	}
	if r.Match != "" && r.Match != "exact" && r.Match != "prefix" {
		c.errorf(key+".match", "%q is none of exact, prefix", r.Match)
	}
	c.systems(key+".os", r.OS)
}

func (c *checker) argument(key string, r *ArgumentRule) {
	switch {
	case (r.Contains == "") == (r.Module == ""):
		c.errorf(key, "want either contains or module")
	case r.Module != "" && !moduleForm.MatchString(r.Module):
		c.errorf(key+".module", "%q is no dotted name of a Python module", r.Module)
	case len(r.Contains+r.Module) < minArgument:
		c.errorf(key, "matches too much: want at least %d characters", minArgument)
	case strings.ContainsAny(r.Contains, `\*`):
		c.errorf(key+".contains", "%q: write / for \\, and no *", r.Contains)
	case !r.Weak && isInterpreter(strings.ToLower(r.Contains)):
		c.errorf(key+".contains", "%q runs or names anything: give more of the path, or weak: true", r.Contains)
	}
}

func (c *checker) file(key string, r *FileRule) {
	pattern := parseFilePattern(r.Path)
	literal := 0
	for _, s := range pattern.segments {
		if s == "" || s == "." || s == ".." || len(s) > maxSegment || strings.ContainsAny(s, "\\\x00") || s == "**" {
			c.errorf(key+".path", "%q is no path pattern: segments of 1 to %d characters between /, no \\, no **", r.Path, maxSegment)
			return
		}
		if len(strings.NewReplacer("*", "", "#", "").Replace(s)) >= 2 {
			literal++
		}
	}
	if literal == 0 || strings.Trim(pattern.segments[len(pattern.segments)-1], "*#.") == "" {
		c.errorf(key+".path", "%q matches too much: its last segment must say more than *", r.Path)
	}
	if (r.Kind == "store" || r.Kind == "binary") && pattern.anchor == anchorAny && len(pattern.segments) < 2 && len(r.Path) < minProcessName {
		c.errorf(key+".path", "%q matches too much: it covers every folder of that name", r.Path)
	}
	if !oneOf(r.Kind, fileKinds()) {
		c.errorf(key+".kind", "%q is none of %s", r.Kind, list(fileKinds()))
	}
	c.systems(key+".os", r.OS)
}

func (c *checker) port(key string, r *PortRule) {
	if r.Port == 0 {
		c.errorf(key+".port", "want 1 to 65535")
	}
	if r.Protocol != "" && r.Protocol != "tcp" && r.Protocol != "udp" {
		c.errorf(key+".protocol", "%q is none of tcp, udp", r.Protocol)
	}
}

func (c *checker) format(key string, r *FormatRule) {
	if !formatForm.MatchString(r.Format) {
		c.errorf(key+".format", "%q is no name of a format", r.Format)
	}
	if !oneOf(r.Executable, []string{"none", "possible", "yes"}) {
		c.errorf(key+".executable_content", "%q is none of none, possible, yes", r.Executable)
	}
	for i, m := range r.Magic {
		if !magicForm.MatchString(m.Bytes) {
			c.errorf(index1(key+".magic", i)+".bytes", "%q are not 2 to 64 bytes in lower-case hex", m.Bytes)
		}
		if m.Offset < 0 || m.Offset > 1<<20 {
			c.errorf(index1(key+".magic", i)+".offset", "want 0 to %d", 1<<20)
		}
	}
	for i, e := range r.Extensions {
		if len(e) < 2 || e[0] != '.' || e != strings.ToLower(e) || strings.ContainsAny(e, "/\\* ") {
			c.errorf(index1(key+".extensions", i), "%q is no extension such as .gguf", e)
		}
	}
}

func (c *checker) systems(key string, names []string) {
	for i, name := range names {
		if !oneOf(name, systems()) {
			c.errorf(index1(key, i), "%q is none of %s", name, list(systems()))
		}
	}
}
