// Package benign makes a list of more than 100,000 host names that are no AI
// out of what a test machine has anyway, to hold the catalogue against.
//
// The names are those that Firefox ships as its list of sites to be reached by
// HTTPS alone: sites whose owners asked for it and which a scan by Mozilla found
// to keep their word (https://wiki.mozilla.org/Security/HSTS_Preload_List). They
// are real sites of all countries, banks, shops, authorities and private
// pages, but they are not ranked: the list says "a public site", not "a popular
// one". The names that are popular without doubt are those of sigtest.BenignNames,
// which the caller adds.
//
// Some of the sites are AI services of the catalogue. They are set aside by the
// file exceptions.txt: each with the signature that may match it and the reason.
// Beside them there are sites of AI that the catalogue does not know; by
// [LooksLikeAI] they are kept in what is matched, but left out of what is counted
// as benign.
//
// Firefox keeps the list as a graph of bytes within its library; [Find] looks for
// it there. [Ask] runs the built agent on the names. The package reads no other
// file than those of Firefox and opens no connection. It imports the standard
// library and signatures.
package benign
