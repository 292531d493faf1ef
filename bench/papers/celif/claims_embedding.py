"""The celif paper's claims on what temporal embeddings learn: Figures 2 and 7."""

from __future__ import annotations

from bench.measures import TE_BEFORE, TE_LATE, TE_LATE_EQUAL_LAGS, TE_SIMILARITY, TRACE_SHARE
from bench.papers.celif.models import CELIF_154K, CELIF_OUTPUT
from bench.papers.celif.tasks import SEQ_MNIST
from bench.spec.claim import Claim, Part, value
from bench.spec.predicates import AtLeast, AtMost

CLAIMS = (
    Claim(
        "celif-te-before",
        "Figure 7",
        "Before training, time steps of TE are uncorrelated",
        (Part(AtMost(0.1), (value(SEQ_MNIST, CELIF_154K, TE_BEFORE),)),),
        reading="Uncorrelated [U]: the absolute cosine similarity of two different steps is at most 0.1 on average. It"
        " depends on how N(0.01, 0.01) is read: with 0.01 as the deviation, as here, it is about 0.5; with 0.01 as the"
        " variance, about 0.07.",
    ),
    Claim(
        "celif-te-period",
        "Figure 7",
        "After training, steps that are multiples of 28 apart, and their neighbours, are more similar",
        (Part(AtLeast(0.0), (value(SEQ_MNIST, CELIF_154K, TE_SIMILARITY),)),),
        reading="For the first six rows of the image, the similarity at lag 28k is compared with the mean at half a row"
        " less and half a row more. The same score for each other period from 20 to 40 steps must be no larger.",
    ),
    Claim(
        "celif-te-late",
        "Figure 7",
        "Later steps have broader connections with earlier ones",
        (Part(AtLeast(0.0), (value(SEQ_MNIST, CELIF_154K, TE_LATE),)),),
        reading="Broader [U]: the mean similarity with earlier steps is larger for the last quarter of the steps than"
        " for the first.",
    ),
    Claim(
        "celif-te-late-equal-lags",
        "Figure 7",
        "Later steps have broader connections with earlier ones of the same quarter of the steps, too",
        (Part(AtLeast(0.0), (value(SEQ_MNIST, CELIF_154K, TE_LATE_EQUAL_LAGS),)),),
        source="ours",
        reading="As celif-te-late, over pairs of steps within the last quarter and within the first. So both have the"
        " same lags: the first quarter has no long ones, and similarity falls with the lag.",
    ),
    Claim(
        "celif-trace",
        "Figure 2",
        "In target output neurons TE V is often negative, the threshold falls and they burst; in others it is positive"
        " more often, and the threshold rises",
        (Part(AtLeast(0.0), (value(SEQ_MNIST, CELIF_OUTPUT, TRACE_SHARE),)),),
        reading="Over test images, the share of steps with negative TE V is larger in target neurons than in others."
        " Bursts are not judged.",
    ),
)
