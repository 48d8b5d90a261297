package config

// trunkTLS reads how connections to a trunk are secured.
func (v value) trunkTLS(t *TrunkTLS) {
	v.fields(
		field{"ca", func(v value) { v.text(&t.CA, pathShape) }},
		field{keyName, func(v value) { v.text(&t.Name, hostShape) }},
		field{keyCertificate, func(v value) { v.text(&t.Certificate, pathShape) }},
		field{keyKey, func(v value) { v.text(&t.Key, pathShape) }},
	)
	certificate, key := v.r.written(v.path+"."+keyCertificate), v.r.written(v.path+"."+keyKey)
	if certificate != key {
		v.problem("one of certificate and key", "both, or neither where the carrier asks for no certificate of ours")
	}
}

// settleTLS reports tls of a trunk that nothing connects to by it.
func (v value) settleTLS(t *Trunk) {
	if path := v.path + "." + keyTLS; v.r.written(path) && t.Address.Network != tls && t.Register.Address.Network != tls {
		v.r.report(path, "a trunk without TLS", "address: tls://HOST:PORT, or no tls")
	}
}
