import { readFileSync } from 'node:fs';
import { defineConfig } from 'vite';
import type { Plugin } from 'vite';

const OUT_DIR = '../tb_gradplugin/static';
const SHIPPED = ['preact'];

/** Ships the licences of what is bundled, as they demand. */
function thirdPartyLicenses(): Plugin {
  return {
    name: 'third-party-licenses',
    generateBundle() {
      const parts = SHIPPED.map((name) => {
        const folder = new URL(`./node_modules/${name}/`, import.meta.url);
        const { version } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')) as {
          version: string;
        };
        const text = readFileSync(new URL('LICENSE', folder), 'utf8').trim();
        return `${name} ${version}\n${'-'.repeat(72)}\n${text}\n`;
      });
      this.emitFile({
        type: 'asset',
        fileName: 'THIRD_PARTY_LICENSES.txt',
        source: `index.js contains the following software.\n\n${parts.join('\n\n')}`,
      });
    },
  };
}

export default defineConfig({
  plugins: [thirdPartyLicenses()],
  build: {
    outDir: OUT_DIR,
    emptyOutDir: true,
    target: 'es2023',
    // ES library mode keeps white space unless it is asked to minify.
    minify: 'oxc',
    lib: { entry: 'src/index.tsx', formats: ['es'], fileName: () => 'index.js' },
    rolldownOptions: { output: { codeSplitting: false, minify: true, comments: false } },
  },
});
