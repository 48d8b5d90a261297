// Runs CommonJS modules in a page. What stands before this is `const modules`: a function for each file, by its name.
const mains = {
	'jssip': 'jssip/lib-es5/JsSIP.js', 'debug': 'debug/src/browser.js', 'ms': 'ms/index.js', 'events': 'events/events.js',
	'sdp-transform': 'sdp-transform/lib/index.js',
}
const loaded = {}

function load(name) {
	if (!(name in loaded)) {
		const module = loaded[name] = {exports: {}}
		modules[name].call(module.exports, (id) => load(resolve(name, id)), module, module.exports)
	}
	return loaded[name].exports
}

function resolve(from, id) {
	if (!id.startsWith('.')) return mains[id]
	const path = new URL(id, 'file:///' + from).pathname.slice(1)
	return [path, path + '.js', path + '/index.js'].find((p) => p in modules)
}

window.JsSIP = load(mains.jssip)
