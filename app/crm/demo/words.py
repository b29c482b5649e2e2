"""The small tables that names are made from. Each Chinese entry: Traditional, Simplified, Taiwan's usual
romanisation, Pinyin. Spellings of people's names in Taiwan follow passports, mostly Wade-Giles."""

from typing import Final, NamedTuple


class Syllables(NamedTuple):
    """A name's part as it is written in four ways."""

    hant: str
    hans: str
    taiwan: str
    pinyin: str


def _table(text: str) -> tuple[Syllables, ...]:
    return tuple(Syllables(*line.split()) for line in text.strip().splitlines())


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SURNAMES: Final = _table("""
陳 陈 Chen Chen
林 林 Lin Lin
黃 黄 Huang Huang
張 张 Chang Zhang
李 李 Li Li
王 王 Wang Wang
吳 吴 Wu Wu
劉 刘 Liu Liu
蔡 蔡 Tsai Cai
楊 杨 Yang Yang
許 许 Hsu Xu
鄭 郑 Cheng Zheng
謝 谢 Hsieh Xie
郭 郭 Kuo Guo
洪 洪 Hung Hong
曾 曾 Tseng Zeng
周 周 Chou Zhou
賴 赖 Lai Lai
徐 徐 Hsu Xu
葉 叶 Yeh Ye
蘇 苏 Su Su
莊 庄 Chuang Zhuang
江 江 Chiang Jiang
何 何 Ho He
蕭 萧 Hsiao Xiao
羅 罗 Lo Luo
高 高 Kao Gao
趙 赵 Chao Zhao
孫 孙 Sun Sun
馬 马 Ma Ma
朱 朱 Chu Zhu
胡 胡 Hu Hu
韓 韩 Han Han
馮 冯 Feng Feng
鄧 邓 Teng Deng
""")

COMPOUND_SURNAMES: Final = _table("""
歐陽 欧阳 Ouyang Ouyang
司馬 司马 Szuma Sima
諸葛 诸葛 Chuko Zhuge
上官 上官 Shangkuan Shangguan
司徒 司徒 Szutu Situ
夏侯 夏侯 Hsiahou Xiahou
皇甫 皇甫 Huangfu Huangfu
張簡 张简 Changchien Zhangjian
范姜 范姜 Fanchiang Fanjiang
""")

FIRST: Final = _table("""
志 志 Chih Zhi
建 建 Chien Jian
俊 俊 Chun Jun
文 文 Wen Wen
彥 彦 Yen Yan
承 承 Cheng Cheng
家 家 Chia Jia
冠 冠 Kuan Guan
柏 柏 Po Bo
雅 雅 Ya Ya
淑 淑 Shu Shu
怡 怡 Yi Yi
佳 佳 Chia Jia
美 美 Mei Mei
惠 惠 Hui Hui
詩 诗 Shih Shi
欣 欣 Hsin Xin
麗 丽 Li Li
秀 秀 Hsiu Xiu
國 国 Kuo Guo
曉 晓 Hsiao Xiao
思 思 Szu Si
子 子 Tzu Zi
宇 宇 Yu Yu
""")

SECOND: Final = _table("""
明 明 Ming Ming
宏 宏 Hung Hong
傑 杰 Chieh Jie
翰 翰 Han Han
廷 廷 Ting Ting
恩 恩 En En
豪 豪 Hao Hao
偉 伟 Wei Wei
強 强 Chiang Qiang
華 华 Hua Hua
婷 婷 Ting Ting
芬 芬 Fen Fen
君 君 Chun Jun
玲 玲 Ling Ling
涵 涵 Han Han
敏 敏 Min Min
蘭 兰 Lan Lan
霞 霞 Hsia Xia
軒 轩 Hsuan Xuan
晨 晨 Chen Chen
瑜 瑜 Yu Yu
慧 慧 Hui Hui
勳 勋 Hsun Xun
穎 颖 Ying Ying
""")

FAMILY_NAMES: Final = _words("""
    Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Anderson Taylor Thomas Moore Jackson
    Martin Lee Thompson White Harris Clark Lewis Robinson Walker Young Allen King Wright Scott Nguyen Hill Green
    Adams Baker Nelson Carter Mitchell Roberts Turner Phillips O'Brien Peña Müller Kowalski Patel Yamamoto
""")

GIVEN_NAMES: Final = _words("""
    James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan Joseph
    Jessica Thomas Sarah Charles Karen Daniel Lisa Matthew Nancy Anthony Sandra Mark Ashley Steven Emily Andrew
    Donna Joshua Michelle Kevin Carol Brian Amanda George Melissa José Zoë René Chloë
""")

FORTUNES: Final = _table("""
宏遠 宏远 Hungyuan Hongyuan
永岳 永岳 Yungyueh Yongyue
大朋 大朋 Tapeng Dapeng
瑞興 瑞兴 Juihsing Ruixing
華澄 华澄 Huacheng Huacheng
聯成 联成 Liencheng Liancheng
東昇 东升 Tungsheng Dongsheng
信澤 信泽 Hsintse Xinze
金泰 金泰 Chintai Jintai
協晴 协晴 Hsiehching Xieqing
建業 建业 Chienyeh Jianye
光輝 光辉 Kuanghui Guanghui
順達 顺达 Shunta Shunda
富禾 富禾 Fuho Fuhe
長懋 长懋 Changmao Changmao
百川 百川 Paichuan Baichuan
立德 立德 Lite Lide
正楷 正楷 Chengkai Zhengkai
鴻圖 鸿图 Hungtu Hongtu
天成 天成 Tiencheng Tiancheng
""")


class Industry(NamedTuple):
    """What a company does, as its name says it and as people call it, in three languages."""

    hant: str
    hans: str
    en: str
    field_hant: str
    field_hans: str
    field_en: str


INDUSTRIES: Final = (
    Industry("精密工業", "精密机械", "Precision", "機械製造", "机械制造", "Machinery"),
    Industry("食品", "食品", "Foods", "食品", "食品", "Food"),
    Industry("電子", "电子", "Electronics", "電子零組件", "电子元器件", "Electronic components"),
    Industry("物流", "物流", "Logistics", "倉儲物流", "仓储物流", "Logistics"),
    Industry("生技", "生物科技", "Biotech", "生物技術", "生物技术", "Biotechnology"),
    Industry("紡織", "纺织", "Textiles", "紡織", "纺织", "Textiles"),
    Industry("餐飲", "餐饮管理", "Catering", "餐飲", "餐饮", "Catering"),
    Industry("百貨", "商贸", "Trading", "零售批發", "批发零售", "Wholesale and retail"),
    Industry("建材", "建材", "Building Materials", "建築材料", "建筑材料", "Building materials"),
    Industry("資訊", "信息技术", "Software", "資訊服務", "信息服务", "IT services"),
)

AMERICAN_FIRMS: Final = (
    "Blue Ridge", "Harbor Point", "Cedar Creek", "Lakeshore", "Summit", "Ironwood", "Old Mill", "Redwood", "Bayview",
    "Granite State", "Prairie", "Northgate", "Silver Lake", "Fairfield", "Keystone", "Maple Street", "Golden Gate",
    "Riverbend", "Stonebridge", "Liberty",
)  # fmt: skip
AMERICAN_FORMS: Final = ("Inc.", "LLC", "Corp.", "Co.")

JOBS: Final = {
    "zh-Hant": ("總經理", "採購經理", "業務經理", "財務長", "行政助理", "廠長"),
    "zh-Hans": ("总经理", "采购经理", "销售经理", "财务总监", "行政助理", "厂长"),
    "en": ("CEO", "Purchasing Manager", "Sales Manager", "CFO", "Office Manager", "Plant Manager"),
}
