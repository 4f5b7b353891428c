package signatures

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// ObservationFor makes the observation that a sensor would bring for e, so that
// examples can be given to Set.Match:
//
//   - format, with or without file: a model file
//   - file: a file
//   - process, executable, arguments or ports without host and path: a process
//   - host, path, method, mcp or client, with at most one of ports for the
//     server's: a TLS connection where only the host is given, else an HTTP
//     request
//   - gen_ai_provider, with at most a host and one of ports: what an application
//     says about itself
//   - package, extension: a file or folder where they are installed; a container
//     image: the command that starts it
//   - model: an application that names a model, for Set.Family alone
//
// "~" at the start of a path becomes a home directory of the system in OS. An
// error says which fields do not go together.
func ObservationFor(e Example) (Observation, error) {
	network := e.Host != "" || e.Path != "" || e.Method != "" || e.MCP != "" || e.Client != ""
	process := e.Process != "" || e.Executable != "" || len(e.Arguments) > 0
	file := e.File != "" || e.Format != ""
	o := Observation{OS: e.OS}
	switch {
	case e.Package != "" || e.Extension != "" || e.Model != "":
		return namedExample(e, o, network || process || file || e.GenAIProvider != "" || len(e.Ports) > 0)
	case e.GenAIProvider != "":
		return applicationExample(e, o, process || file)
	case network && (process || file), process && file:
		return o, errors.New("host and path, process, and file are examples of three kinds; give each its own")
	case network:
		return networkExample(e, o)
	case file && len(e.Ports) > 0:
		return o, errors.New("a file has no ports")
	case file:
		o.Sensor, o.Kind = "file", KindFile
		if e.Format != "" {
			o.Kind = KindModelFile
		}
		o.File = File{Path: expandHome(e.File, e.OS), Format: e.Format}
		return o, nil
	case process || len(e.Ports) > 0:
		o.Sensor, o.Kind = "process", KindProcess
		o.Ports = e.Ports
		o.Process = Process{Name: e.Process, Executable: expandHome(e.Executable, e.OS), Arguments: e.Arguments}
		if e.Process == "" {
			o.Process.Name = baseName(e.Executable, e.OS == "windows" || isWindowsPath(e.Executable))
		}
		return o, nil
	default:
		return o, errors.New("the example is empty")
	}
}

// namedExample makes the observation of a thing that has a name of its own.
func namedExample(e Example, o Observation, more bool) (Observation, error) {
	switch {
	case more || e.Package != "" && e.Extension+e.Model != "" || e.Extension != "" && e.Model != "":
		return o, errors.New("package, extension and model each stand alone in an example")
	case e.Package != "":
		return packageExample(e.Package, o)
	case e.Extension != "":
		return extensionExample(e, o)
	case NormalizeModel(e.Model) == "":
		return o, fmt.Errorf("%q is no name of a model", e.Model)
	default:
		o.Sensor, o.Kind = "application", KindApplication
		o.Application.Model = e.Model
		return o, nil
	}
}

func networkExample(e Example, o Observation) (Observation, error) {
	o.Sensor, o.Kind, o.NameEvidence = "network", KindTLS, EvidenceTLS
	if e.Path != "" || e.Method != "" || e.MCP != "" || e.Client != "" {
		o.Kind, o.NameEvidence = KindHTTP, EvidenceHTTPHost
		if !strings.HasPrefix(e.Path, "/") {
			return o, fmt.Errorf("the path %q does not start with /", e.Path)
		}
		o.Method, o.Path = e.Method, e.Path
		o.Attributes = fieldsOf(e)
	}
	if e.Host == "" {
		o.NameEvidence = ""
	} else {
		name, ok := NormalizeHost(e.Host)
		if !ok {
			return o, fmt.Errorf("%q is no host name", e.Host)
		}
		o.Name = name
	}
	switch len(e.Ports) {
	case 0:
	case 1:
		o.Flow.Protocol, o.Flow.Server = "tcp", netip.AddrPortFrom(netip.Addr{}, e.Ports[0])
	default:
		return o, errors.New("a request goes to one port")
	}
	return o, nil
}

// fieldsOf returns the attributes of a request, nil where there are none.
func fieldsOf(e Example) map[string]string {
	var attributes map[string]string
	for field, value := range map[string]string{AttributeHTTPMCP: e.MCP, AttributeHTTPClient: e.Client} {
		if value == "" {
			continue
		}
		if attributes == nil {
			attributes = map[string]string{}
		}
		attributes[field] = value
	}
	return attributes
}

func expandHome(path, os string) string {
	rest, found := strings.CutPrefix(path, "~")
	if !found || rest != "" && rest[0] != '/' {
		return path
	}
	switch os {
	case "windows":
		return "C:/Users/user" + rest
	case "darwin":
		return "/Users/user" + rest
	default:
		return "/home/user" + rest
	}
}

// ParseExample reads what a person typed (a host name, a URL, a path, the name of
// a program, or a package or extension such as npm/@acme/sdk) as the examples it can stand for, at least one.
func ParseExample(text string) ([]Example, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, errors.New("nothing to match: want a host name, a URL, a path or the name of a program")
	}
	if strings.Contains(text, "://") {
		e, err := parseURL(text)
		if err != nil {
			return nil, err
		}
		return []Example{e}, nil
	}
	if e, ok := parseNamed(text); ok {
		return []Example{e, {File: text}}, nil
	}
	if isWindowsPath(text) {
		return []Example{{File: text, OS: "windows"}, {Executable: text, OS: "windows"}}, nil
	}
	if strings.HasPrefix(text, "/") {
		return []Example{{File: text}, {Executable: text}, {Path: text}}, nil
	}
	if strings.HasPrefix(text, "~") {
		return []Example{{File: text}, {Executable: text}}, nil
	}
	if host, path, found := strings.Cut(text, "/"); found {
		list := []Example{{File: text}}
		if _, ok := NormalizeHost(host); ok && strings.Contains(strings.Trim(host, "."), ".") {
			list = append([]Example{{Host: host, Path: "/" + path}}, list...)
		}
		return append(list, Example{Executable: "python3", Arguments: []string{"python3", text}}), nil
	}
	if host, port, err := net.SplitHostPort(text); err == nil {
		if e, ok := withPort(host, port); ok {
			return []Example{e}, nil
		}
	}
	list := []Example{{Process: text, Arguments: []string{text}}, {File: text}, {Format: text}}
	if _, ok := NormalizeHost(text); ok {
		list = append([]Example{{Host: text}}, list...)
	}
	return list, nil
}

// parseNamed reads a package or an extension in short form, "npm/@acme/sdk".
func parseNamed(text string) (Example, bool) {
	kind, name, _ := strings.Cut(text, "/")
	p, x := PackageRule{kind, name}, ExtensionRule{Store: kind, ID: name}
	switch {
	case checkPackage(&p) == nil:
		return Example{Package: text}, true
	case checkExtension(&x) == nil:
		return Example{Extension: text}, true
	}
	return Example{}, false
}

func parseURL(text string) (Example, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Example{}, fmt.Errorf("%q is no URL: %w", text, err)
	}
	if _, ok := NormalizeHost(u.Hostname()); !ok {
		return Example{}, fmt.Errorf("%q names no host", text)
	}
	e := Example{Host: u.Hostname()}
	if u.Port() != "" {
		withPort, ok := withPort(u.Hostname(), u.Port())
		if !ok {
			return Example{}, fmt.Errorf("%q has no port from 1 to 65535", text)
		}
		e = withPort
	}
	if p := u.EscapedPath(); strings.HasPrefix(p, "/") && p != "/" {
		e.Path = p
	}
	return e, nil
}

// withPort makes the example of a connection to host and port.
func withPort(host, port string) (Example, bool) {
	n, err := strconv.ParseUint(port, 10, 16)
	if _, ok := NormalizeHost(host); !ok || err != nil || n == 0 {
		return Example{}, false
	}
	return Example{Host: host, Ports: []uint16{uint16(n)}}, true
}
