"""Package definition; tool settings are in pyproject.toml."""

from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
VERSION = "0.1.0"

TENSORFLOW = ["tensorflow>=2.21"]
MATPLOTLIB = ["matplotlib>=3.9"]

setup(
    name="tb-gradplugin",
    version=VERSION,
    description="Finds vanishing and exploding gradients of Keras models, in a TensorBoard tab",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    # The callbacks folder lies at the top of the repository and is imported as
    # tb_gradplugin.callbacks; the committed symlink serves checkouts, this mapping serves builds.
    packages=["tb_gradplugin", "tb_gradplugin.health", "tb_gradplugin.callbacks"],
    package_dir={"tb_gradplugin.callbacks": "callbacks"},
    package_data={"tb_gradplugin": ["py.typed", "http_api.md", "static/*"]},
    include_package_data=False,
    install_requires=[
        "keras>=3.15",
        "tensorboard>=2.21",
        "numpy>=2.0",
        "protobuf>=6.31",
        "google-crc32c>=1.5",
        "rich>=13",
    ],
    extras_require={
        # scikit-learn brings the digits that `tb-gradients demo` trains on.
        "tensorflow": [*TENSORFLOW, "scikit-learn>=1.5"],
        # For tb_gradplugin.remedies: GradientMonitor refuses these backends for now.
        "jax": ["jax>=0.10"],
        "torch": ["torch>=2.13"],
        # For log directories that are URLs; s3fs, gcsfs and the like are the user's choice.
        "remote": ["fsspec>=2024.6"],
        # For `tb-gradients report --png`.
        "png": MATPLOTLIB,
        "dev": [
            *TENSORFLOW,
            *MATPLOTLIB,
            "scikit-learn>=1.5",
            "build",
            "ipykernel>=6",
            "moto[server]>=5",
            "nbclient>=0.10",
            # 1.65 begins with a command of WebDriver BiDi that Firefox ESR 153 does not know.
            "playwright>=1.61,<1.65",
            "pyright",
            "pytest>=8",
            "pytest-xdist>=3.6.1",
            "ruff",
            "s3fs>=2024.6",
        ],
    },
    entry_points={
        "console_scripts": ["tb-gradients = tb_gradplugin.cli:main"],
        "tensorboard_plugins": ["gradients = tb_gradplugin.loader:GradientsLoader"],
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3.11",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
