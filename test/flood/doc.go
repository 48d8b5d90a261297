// Package flood has strangers attack a hotline while 20 calls are up and a trunk's calls come and go, and says what that did:
// the largest gap in what anybody on the calls heard, the calls of the trunk that were not set up, and what the program had of
// memory, descriptors and goroutines before, meanwhile and after. It has no code but tests.
//
// The attacks are sipvicious, as the scanners of the internet use it, and floods of our own: INVITEs, REGISTERs and guessed
// passwords from one address and from thousands, messages of a million hosts of which each says one thing, connections that are
// never finished by TCP, TLS, WebSocket and both, noise, what many addresses of one network of IPv6 say and open, and what is
// said in the name of a trunk or of an agent's phone. All of 127.0.0.0/8 is this host, so that an attacker has as many addresses
// as he likes, and can claim another's; of IPv6, where root runs the test, so is a network of its own.
//
// What is heard is timed by the kernel, as it puts a packet into the socket, and each packet says when it was sent and as which
// of its stream. So what is late since this process sent late is told from what the hotline delayed or lost: both share the
// processors of one machine with the attack.
//
// Goroutines: one sends all audio, one for each end hears it; an attack has some of its own, which it waits for. All end
// with the test.
package flood
