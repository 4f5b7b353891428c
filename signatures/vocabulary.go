package signatures

import "slices"

// Schema is the value of Document.Schema that this package reads.
const Schema = "signatures/v1"

// Values of Signature.Status. Retired and renamed signatures still match: old
// clients keep resolving old names.
const (
	StatusActive  = "active"
	StatusRetired = "retired"
	StatusRenamed = "renamed"
)

// Categories lists the values that Signature.Categories may hold.
func Categories() []string {
	return []string{
		"agent",           // acts by itself: runs tools, writes files, drives a browser
		"aggregator",      // passes requests on to models of many providers
		"api_llm",         // programming interface to language models
		"audio",           // speech, voices, music
		"chat",            // assistant for people
		"code",            // writes or reviews code
		"data_platform",   // stores, analyses or labels data, with models on top
		"embedding",       // turns text or pictures into vectors; vector search
		"gateway",         // proxy, guard or router that an organisation runs itself
		"image",           // makes or changes pictures
		"inference_cloud", // rents out compute that runs models
		"local_runtime",   // runs models on the machine
		"local_ui",        // front end to models, run on the machine or in house
		"mcp",             // server or client of the Model Context Protocol
		"meeting_notes",   // records or sums up meetings
		"mlops",           // trains, serves, traces or evaluates models
		"model_file",      // a file format of models
		"model_hub",       // where models are fetched from
		"model_store",     // where models lie on a machine
		"research",        // finds and reads literature
		"rpa",             // automates office work with models
		"saas_embedded",   // a part of a product that is no AI product
		"search",          // answers with sources
		"translation",     // translates
		"video",           // makes or changes moving pictures
		"vision",          // reads pictures and documents
		"writing",         // writes or corrects texts
	}
}

// AssetKinds lists the values of Signature.Kind.
func AssetKinds() []AssetKind {
	return []AssetKind{AssetService, AssetRuntime, AssetApp, AssetAgent, AssetExtension, AssetMCPServer, AssetModelFormat, AssetModelStore, AssetSDK, AssetModelFamily}
}

// HostRoles lists the values of HostRule.Role.
func HostRoles() []HostRole {
	return []HostRole{RoleAPI, RoleWebUI, RoleAuth, RoleCDN, RoleTelemetry, RoleDownload, RoleMCP}
}

// HostLabels lists the values of HostRule.Label.
func HostLabels() []string { return []string{"tenant", "account", "region", "model", "deployment"} }

// Ecosystems lists the values of PackageRule.Ecosystem.
func Ecosystems() []string {
	return []string{"pypi", "npm", "go", "maven", "nuget", "cargo", "rubygems", "packagist", "oci"}
}

// Stores lists the values of ExtensionRule.Store.
func Stores() []string {
	return []string{"vscode", "chrome", "edge", "firefox", "jetbrains", "vim", "emacs", "sublime"}
}

// LicenceClasses lists the values of Licence.Class.
func LicenceClasses() []string {
	return []string{"permissive", "copyleft", "community", "noncommercial", "proprietary", "unknown"}
}

// Trainings lists the values of Risk.TrainsOnInput.
func Trainings() []string { return []string{"never", "opt_in", "opt_out", "always"} }

// Certifications lists the values of Risk.Certifications.
func Certifications() []string {
	return []string{"soc2", "iso27001", "iso42001", "hipaa_baa", "gdpr_dpa", "fedramp", "c5", "pci_dss", "csa_star", "iso27701", "iso27017", "iso27018"}
}

// Fields lists the values of FieldRule.Field.
func Fields() []Evidence { return []Evidence{EvidenceHTTPMCP, EvidenceHTTPClient} }

// IsUse says whether a hit on a host of this role shows that the service was
// used. Signing in, fetching a picture and sending telemetry do not.
func (r HostRole) IsUse() bool {
	return r != RoleAuth && r != RoleCDN && r != RoleTelemetry
}

// fileKinds lists the values of FileRule.Kind; systems those of the OS fields.
func fileKinds() []string { return []string{"config", "data", "binary", "store"} }
func systems() []string   { return []string{"linux", "darwin", "windows"} }

// isCountry says whether code is an ISO 3166-1 alpha-2 code or "unknown".
func isCountry(code string) bool {
	if code == "unknown" {
		return true
	}
	if len(code) != 2 {
		return false
	}
	for i := 0; i+1 < len(countries); i += 3 {
		if countries[i:i+2] == code {
			return true
		}
	}
	return false
}

// countries are the officially assigned codes of ISO 3166-1 alpha-2.
const countries = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ " +
	"BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ " +
	"CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ " +
	"DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR " +
	"GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY " +
	"HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP " +
	"KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY " +
	"MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ " +
	"NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA " +
	"RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ " +
	"TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ " +
	"VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"

func oneOf[T comparable](v T, list []T) bool { return slices.Contains(list, v) }
