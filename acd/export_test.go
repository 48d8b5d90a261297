package acd

// Hold stops the desk until release is called: what it is told meanwhile it takes in together, as what happened
// in one instant. It must be running.
func (c *Center) Hold() (release func()) {
	held, let := make(chan struct{}), make(chan struct{})
	c.inbox.put(func(*desk) {
		close(held)
		<-let
	})
	<-held
	return func() { close(let) }
}

// Must is what a desk shows that has no fault.
func Must[T any](shown T, err error) T {
	if err != nil {
		panic(err)
	}
	return shown
}
