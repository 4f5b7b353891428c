// Package signatures knows what AI looks like from outside: it reads the
// catalogue, checks it, and says which of its entries an observation bears out.
//
// A [Signature] describes one service, runtime, app, agent, extension, MCP
// server, model format, model store, library or family of models by rules about
// host names, HTTP paths, programs, command lines, files, ports, file formats,
// installed packages and extensions, and names of models. [Load] reads a
// catalogue of YAML files and refuses what is unclear or matches too much,
// [LoadOverlay] an organisation's own over it, [Compile] indexes it, and
// [Set.Match] is asked once for every [Observation].
//
// # Rules of matching
//
// Strong and weak. One strong hit makes a match and is worth the confidence of
// its signature; more of them do not add up. Two weak hits of different kinds of
// evidence make a match that is worth at most 60. One weak hit, a port above
// all, makes none: it only completes what something else began.
//
// Host names. A rule is exact, a suffix (the name and all below it, at label
// boundaries) or a wildcard (one label is "*" and stands for one label). Only
// the most specific rules count, whichever signature they belong to: exact
// before suffix before wildcard of the same number of labels, more labels before
// fewer, and of two wildcards the one whose "*" stands further left. So
// api.openai.com is the API and www.openai.com the web site, though the site's
// rule is the suffix openai.com.
//
// Shared hosts. A rule with shared: true counts only together with a path rule
// of its signature, and then goes before rules with the same text that are not
// shared. Of several, the one with the most specific path counts. Where the path
// is not seen or does not match, the next less specific rule has its turn.
//
// Roles. Hosts of role auth, cdn and telemetry match, for they are evidence, but
// a match that rests on them alone is worth at most 30 and shows its role
// ([Match.Role], [HostRole.IsUse]): signing in or loading a picture is no use.
//
// Paths on any host. A path rule with any_host is evidence by itself where the
// host matches nothing; that finds gateways that an organisation runs itself. Of
// the strong ones the most specific counts (segments first, then characters);
// a weak one needs the server's port or a field beside it. Where the host
// matches, the path only adds to the evidence of that match.
//
// Header fields. What the fields of a request give away (that it speaks the
// Model Context Protocol, which client library sent it) is looked at where the
// host matches nothing, like a path. A strong one is a match and takes the path
// along as the place; a weak one needs a path rule that hits, and no port stands
// in for that.
//
// Programs. Name, command line, executable and listening ports are looked at
// together. Names are compared without case and ".exe" where the program is a
// Windows one. Where the program runs scripts (python, node …), process rules
// are tried on the script as well. Argument rules are looked for at the
// boundaries / \ @ = in the first [MaxArguments] elements and in the path of the
// executable; a weak one is not looked for in the base name of the program,
// which would be its name a second time.
//
// Files. A model file matches by the format that its content proved, and files
// and folders by their place; the rule nearest to the file counts.
//
// Packages and extensions. A package stands for the places where its ecosystem
// installs it, an extension for those of its store (see packages.go and
// extensions.go, with sources); what hits is a file rule with the package's name
// as its selector. On kinds that run, npm, pypi and oci packages are argument
// rules, too: strong with a scope ("@"), or from 8 letters with a "-", else weak.
//
// Labels. A wildcard host rule may say what its "*" names (a tenant, an account,
// a region); [Hit.Label] is the text that stood there.
//
// Model families. They are no matches: [Set.Family] is asked with the name of a
// model, and the pattern with the most literal characters answers.
//
// Applications. What an application says in its own telemetry matches by the
// server that it called, which goes first and by the rules for host names, and by
// the name that it gives the provider. The name of a hosted service is weak
// beside a server that is none of its hosts: interfaces are imitated, and the
// data went to the server. The name of a program that anybody installs is not.
//
// Retired and renamed signatures match: old clients still resolve old names. What
// is switched off or unverified does not, and hides nothing. What an organisation
// suppresses matches; [Set.Suppressed] says that it is to be left out.
//
// # Limits
//
// The package imports the standard library, strictyaml and x/net/idna. It opens
// nothing but what [Load] is given, starts no goroutine, writes no log, keeps no
// state. Match allocates nothing and is safe for concurrent use. Whether a use
// is allowed, who did it and how often is not known here.
package signatures
