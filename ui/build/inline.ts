import type { Plugin } from 'vite';

/** Moves the one script and the one style sheet of a build into its page. */
export function inline(): Plugin {
  return {
    name: 'inline',
    enforce: 'post',
    generateBundle(_, bundle) {
      const page = Object.values(bundle).find((file) => file.fileName.endsWith('.html'));
      if (page?.type !== 'asset') throw new Error('the build has no page');
      let html = String(page.source);
      for (const file of Object.values(bundle)) {
        if (file.type === 'chunk') {
          // A closing tag inside the text would end the script early.
          const code = file.code.replaceAll('</script', '<\\/script');
          html = html.replace(/<script [^>]*src="[^"]*"[^>]*><\/script>/, '');
          html = html.replace('</body>', () => `<script type="module">${code}</script>\n</body>`);
        } else if (file.fileName.endsWith('.css')) {
          html = html.replace(/<link rel="stylesheet"[^>]*>/, () => `<style>${String(file.source)}</style>`);
        } else continue;
        delete bundle[file.fileName];
      }
      page.source = html;
    },
  };
}
